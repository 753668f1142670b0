-- Calls that were refused for want of a permission. The exceptions bind to AccessDenied only, as && binds before ||.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       errormessage
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND (errorcode LIKE '%UnauthorizedOperation'
       OR (errorcode LIKE 'AccessDenied%'
           AND sourceipaddress IS DISTINCT FROM 'delivery.logs.amazonaws.com'
           AND eventname IS DISTINCT FROM 'HeadBucket'))
ORDER BY _time, eventid, _path, _row
