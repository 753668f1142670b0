-- Security groups made or removed, rules added, changed or taken away. Version 5.0 adds ModifySecurityGroupRules.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       coalesce(json_extract_scalar(requestparameters, '$.groupId'),
                json_extract_scalar(responseelements, '$.groupId'),
                json_extract_scalar(requestparameters, '$.groupName'),
                json_extract_scalar(requestparameters, '$.ModifySecurityGroupRulesRequest.GroupId')) AS group_id,
       coalesce(json_extract_scalar(requestparameters, '$.ipPermissions.items[0].ipRanges.items[0].cidrIp'),
                json_extract_scalar(requestparameters, '$.ipPermissions.items[0].ipv6Ranges.items[0].cidrIpv6'),
                json_extract_scalar(requestparameters,
                    '$.ModifySecurityGroupRulesRequest.SecurityGroupRule.SecurityGroupRule.CidrIpv4')) AS first_range,
       coalesce(json_extract_scalar(requestparameters, '$.ipPermissions.items[0].fromPort'),
                json_extract_scalar(requestparameters,
                    '$.ModifySecurityGroupRulesRequest.SecurityGroupRule.SecurityGroupRule.FromPort')) AS first_port
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND eventname IN ('AuthorizeSecurityGroupIngress', 'AuthorizeSecurityGroupEgress', 'RevokeSecurityGroupIngress',
    'RevokeSecurityGroupEgress', 'CreateSecurityGroup', 'DeleteSecurityGroup', 'ModifySecurityGroupRules')
ORDER BY _time, eventid, _path, _row
