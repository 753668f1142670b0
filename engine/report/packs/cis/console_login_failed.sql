-- Console sign-ins that failed at the password or the second factor.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       useridentity.type AS identity_type,
       useridentity.username AS username,
       json_extract_scalar(additionaleventdata, '$.MFAUsed') AS mfa_used,
       useragent
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND eventname = 'ConsoleLogin'
  AND errormessage = 'Failed authentication'
ORDER BY _time, eventid, _path, _row
