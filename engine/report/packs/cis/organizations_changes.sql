-- The organisation's accounts, units, policies and invitations changed.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       coalesce(json_extract_scalar(requestparameters, '$.policyId'),
                json_extract_scalar(requestparameters, '$.handshakeId'),
                json_extract_scalar(requestparameters, '$.organizationalUnitId'),
                json_extract_scalar(requestparameters, '$.accountId')) AS object,
       coalesce(json_extract_scalar(requestparameters, '$.targetId'),
                json_extract_scalar(requestparameters, '$.destinationParentId'),
                json_extract_scalar(requestparameters, '$.target.id')) AS target
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND eventsource = 'organizations.amazonaws.com'
  AND eventname IN ('AcceptHandshake', 'AttachPolicy', 'CreateAccount', 'CreateOrganizationalUnit', 'CreatePolicy', 'DeclineHandshake',
    'DeleteOrganization', 'DeleteOrganizationalUnit', 'DeletePolicy', 'DetachPolicy', 'DisablePolicyType',
    'EnablePolicyType', 'InviteAccountToOrganization', 'LeaveOrganization', 'MoveAccount', 'RemoveAccountFromOrganization',
    'UpdatePolicy', 'UpdateOrganizationalUnit')
ORDER BY _time, eventid, _path, _row
