-- Routes and route tables made, replaced, removed or moved. Any service: API Gateway has a CreateRoute and a DeleteRoute too.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       coalesce(json_extract_scalar(requestparameters, '$.routeTableId'),
                json_extract_scalar(responseelements, '$.routeTable.routeTableId')) AS route_table,
       coalesce(json_extract_scalar(requestparameters, '$.destinationCidrBlock'),
                json_extract_scalar(requestparameters, '$.destinationIpv6CidrBlock')) AS destination,
       coalesce(json_extract_scalar(requestparameters, '$.gatewayId'),
                json_extract_scalar(requestparameters, '$.natGatewayId'),
                json_extract_scalar(requestparameters, '$.transitGatewayId'),
                json_extract_scalar(requestparameters, '$.vpcPeeringConnectionId'),
                json_extract_scalar(requestparameters, '$.networkInterfaceId')) AS via
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND eventname IN ('CreateRoute', 'CreateRouteTable', 'ReplaceRoute', 'ReplaceRouteTableAssociation', 'DeleteRouteTable', 'DeleteRoute',
    'DisassociateRouteTable')
ORDER BY _time, eventid, _path, _row
