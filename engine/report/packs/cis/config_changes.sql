-- AWS Config's recorder stopped or changed, its delivery channel changed or removed.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       coalesce(json_extract_scalar(requestparameters, '$.configurationRecorderName'),
                json_extract_scalar(requestparameters, '$.configurationRecorder.name')) AS recorder,
       coalesce(json_extract_scalar(requestparameters, '$.deliveryChannelName'),
                json_extract_scalar(requestparameters, '$.deliveryChannel.name')) AS channel
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND eventsource = 'config.amazonaws.com'
  AND eventname IN ('StopConfigurationRecorder', 'DeleteDeliveryChannel', 'PutDeliveryChannel', 'PutConfigurationRecorder')
ORDER BY _time, eventid, _path, _row
