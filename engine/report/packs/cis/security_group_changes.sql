-- Security groups made or removed, rules added or taken away. The list of versions 1.4 and 3.0.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       coalesce(json_extract_scalar(requestparameters, '$.groupId'),
                json_extract_scalar(responseelements, '$.groupId'),
                json_extract_scalar(requestparameters, '$.groupName')) AS group_id,
       coalesce(json_extract_scalar(requestparameters, '$.ipPermissions.items[0].ipRanges.items[0].cidrIp'),
                json_extract_scalar(requestparameters, '$.ipPermissions.items[0].ipv6Ranges.items[0].cidrIpv6')) AS first_range,
       json_extract_scalar(requestparameters, '$.ipPermissions.items[0].fromPort') AS first_port
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND eventname IN ('AuthorizeSecurityGroupIngress', 'AuthorizeSecurityGroupEgress', 'RevokeSecurityGroupIngress',
    'RevokeSecurityGroupEgress', 'CreateSecurityGroup', 'DeleteSecurityGroup')
ORDER BY _time, eventid, _path, _row
