-- Network ACLs made, removed or moved to another subnet, and their entries.
SELECT eventtime, eventid, account, region, eventsource, eventname,
       coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS principal,
       sourceipaddress, errorcode,
       coalesce(json_extract_scalar(requestparameters, '$.networkAclId'),
                json_extract_scalar(responseelements, '$.networkAcl.networkAclId')) AS network_acl,
       json_extract_scalar(requestparameters, '$.cidrBlock') AS range,
       json_extract_scalar(requestparameters, '$.ruleAction') AS action
FROM cloudtrail_logs
WHERE _time >= :from AND _time < :to
  AND eventname IN ('CreateNetworkAcl', 'CreateNetworkAclEntry', 'DeleteNetworkAcl', 'DeleteNetworkAclEntry', 'ReplaceNetworkAclEntry',
    'ReplaceNetworkAclAssociation')
ORDER BY _time, eventid, _path, _row
