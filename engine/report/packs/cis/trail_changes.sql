-- Trails made, changed, removed, started or stopped.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       json_extract_scalar(requestparameters, '$.name') AS trail,
       json_extract_scalar(requestparameters, '$.s3BucketName') AS bucket
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND eventname IN ('CreateTrail', 'UpdateTrail', 'DeleteTrail', 'StartLogging', 'StopLogging')
ORDER BY _time, eventid, _path, _row
