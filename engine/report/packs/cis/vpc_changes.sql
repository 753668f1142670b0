-- VPCs made, removed or changed, and their peerings and ClassicLinks.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       coalesce(json_extract_scalar(requestparameters, '$.vpcId'), json_extract_scalar(responseelements, '$.vpc.vpcId')) AS vpc,
       coalesce(json_extract_scalar(requestparameters, '$.vpcPeeringConnectionId'),
                json_extract_scalar(responseelements, '$.vpcPeeringConnection.vpcPeeringConnectionId')) AS peering,
       json_extract_scalar(requestparameters, '$.peerOwnerId') AS peer_account
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND eventname IN ('CreateVpc', 'DeleteVpc', 'ModifyVpcAttribute', 'AcceptVpcPeeringConnection', 'CreateVpcPeeringConnection',
    'DeleteVpcPeeringConnection', 'RejectVpcPeeringConnection', 'AttachClassicLinkVpc', 'DetachClassicLinkVpc',
    'DisableVpcClassicLink', 'EnableVpcClassicLink')
ORDER BY _time, eventid, _path, _row
