-- What the root user did itself: not what a service did on its behalf, nor what a service reports of it.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       eventtype,
       useragent,
       useridentity.sessioncontext.attributes.mfaauthenticated AS mfa_authenticated
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND useridentity.type = 'Root'
  AND useridentity.invokedby IS NULL
  AND eventtype IS DISTINCT FROM 'AwsServiceEvent'
ORDER BY _time, eventid, _path, _row
