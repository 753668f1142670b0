-- Security Hub, its standards and controls switched on or off, and who administers it. Whether it is on is state: no event shows it.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       coalesce(json_extract_scalar(requestparameters, '$.StandardsControlArn'),
                json_extract_scalar(requestparameters, '$.SecurityControlId'),
                json_extract_scalar(requestparameters, '$.AdminAccountId')) AS object,
       coalesce(json_extract_scalar(requestparameters, '$.ControlStatus'),
                json_extract_scalar(requestparameters, '$.AssociationStatus')) AS status
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND eventsource = 'securityhub.amazonaws.com'
  AND eventname IN ('EnableSecurityHub', 'DisableSecurityHub', 'UpdateSecurityHubConfiguration', 'EnableSecurityHubV2',
    'DisableSecurityHubV2', 'BatchEnableStandards', 'BatchDisableStandards', 'UpdateStandardsControl',
    'BatchUpdateStandardsControlAssociations', 'UpdateSecurityControl', 'EnableOrganizationAdminAccount',
    'DisableOrganizationAdminAccount', 'UpdateOrganizationConfiguration', 'DisassociateFromAdministratorAccount',
    'DisassociateMembers', 'DeleteMembers')
ORDER BY _time, eventid, _path, _row
