-- Customer and internet gateways made, removed, attached or detached.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       coalesce(json_extract_scalar(requestparameters, '$.internetGatewayId'),
                json_extract_scalar(requestparameters, '$.customerGatewayId'),
                json_extract_scalar(responseelements, '$.internetGateway.internetGatewayId'),
                json_extract_scalar(responseelements, '$.customerGateway.customerGatewayId')) AS gateway,
       json_extract_scalar(requestparameters, '$.vpcId') AS vpc
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND eventname IN ('CreateCustomerGateway', 'DeleteCustomerGateway', 'AttachInternetGateway', 'CreateInternetGateway',
    'DeleteInternetGateway', 'DetachInternetGateway')
ORDER BY _time, eventid, _path, _row
