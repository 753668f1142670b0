-- Console sign-ins of IAM users that succeeded without MFA. No word about MFA is taken as none.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       useridentity.username AS username,
       json_extract_scalar(additionaleventdata, '$.MFAUsed') AS mfa_used,
       useragent
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND eventname = 'ConsoleLogin'
  AND json_extract_scalar(additionaleventdata, '$.MFAUsed') IS DISTINCT FROM 'Yes'
  AND useridentity.type = 'IAMUser'
  AND json_extract_scalar(responseelements, '$.ConsoleLogin') = 'Success'
ORDER BY _time, eventid, _path, _row
