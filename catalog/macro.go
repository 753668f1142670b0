package catalog

import "github.com/trailql/trailql/engine/source"

// chapter of the manual.
const chapter = "CloudTrail"

// macros are the functions that the catalog defines by SQL.
var macros = []*source.Macro{
	{
		Name: "principal_name", Params: []string{"who"}, Category: chapter, Sig: "(row) -> varchar",
		Doc: "A readable name of who acted, from useridentity as a row or as JSON text: a user's name; role/session, without what Identity Center puts around " +
			"the name of a permission set; root; a service; the account and the session, user or role of another account; a federated, web or directory user's name; " +
			"what else is there for an identity of another type. Empty text counts as missing. NULL where nothing names anybody.",
		Example: `principal_name('{"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/eve"}') → 'Admin/eve'`,
		// An ARN ends in /name, one of the root user in :root; a principal id of a session in :session.
		SQL: `coalesce(
	CASE who.type
		WHEN 'Root' THEN 'root'
		WHEN 'AssumedRole' THEN nullif(concat_ws('/',
			regexp_replace(coalesce(nullif(who.sessioncontext.sessionissuer.username, ''), nullif(split_part(who.arn, '/', 2), '')),
				'^AWSReservedSSO_(.+)_[0-9a-f]{16}$', '$1'),
			coalesce(nullif(split_part(who.arn, '/', 3), ''), nullif(split_part(who.principalid, ':', 2), ''))), '')
		WHEN 'AWSService' THEN nullif(who.invokedby, '')
		WHEN 'AWSAccount' THEN nullif(concat_ws('/', nullif(who.accountid, ''),
			coalesce(nullif(split_part(who.principalid, ':', 2), ''), nullif(nullif(who.principalid, ''), who.accountid))), '')
	END,
	nullif(who.username, ''), nullif(regexp_extract(who.arn, '[^/:]+$'), ''), nullif(who.onbehalfof.userid, ''),
	nullif(who.principalid, ''), nullif(who.invokedby, ''), nullif(who.accountid, ''))`,
	},
	{
		Name: "sessions_of", Params: []string{"start"}, Table: true, Category: chapter, Sig: "(varchar) -> table",
		Doc: "What was done with an access key, or by the user, role or session of an ARN, and with every key that came of it: those that AssumeRole and its kin, " +
			"GetSessionToken, GetFederationToken and CreateAccessKey issued, and those that these issued in turn, over accounts and regions. A row for each event: " +
			"depth, 0 for the start; accesskeyid, the key it was done with; via, issued_by and issued_at, the event that issued the key (NULL where the start itself is the key); " +
			"role, the ARN or user that the key is of; chain, the keys from the start to this one; then the columns of cloudtrail_logs. An unknown start and NULL give no rows. " +
			"A console session has keys of its own that no event issues: ask for its ARN.",
		Example: "count(*) FROM TABLE(sessions_of('AKIAIOSFODNN7EXAMPLE')) → 0",
		SQL: `WITH RECURSIVE issues AS (
	SELECT CAST(_time AS varchar) || coalesce(eventid, '') AS place, _time AS at, eventname, eventid, useridentity.accesskeyid AS by_key,
		coalesce(responseelements.credentials.accessKeyId, responseelements.accessKey.accessKeyId) AS key,
		coalesce(requestparameters.roleArn, responseelements.federatedUser.arn, responseelements.accessKey.userName) AS role,
		responseelements.assumedRoleUser.arn AS session
	FROM cloudtrail_logs
	WHERE eventsource = 'sts.amazonaws.com' AND responseelements.credentials.accessKeyId IS NOT NULL
		OR eventsource = 'iam.amazonaws.com' AND eventname = 'CreateAccessKey' AND responseelements.accessKey.accessKeyId IS NOT NULL
), own AS (
	SELECT *, _time, eventjson
	FROM cloudtrail_logs
	WHERE start LIKE 'arn:%' AND (useridentity.arn = start OR useridentity.sessioncontext.sessionissuer.arn = start)
), starts AS (
	SELECT start AS key, CAST(NULL AS varchar) AS place, CAST(NULL AS timestamp) AS at, CAST(NULL AS varchar) AS via, CAST(NULL AS varchar) AS issued_by, CAST(NULL AS varchar) AS role
	WHERE start NOT LIKE 'arn:%' AND start <> ''
	UNION ALL
	SELECT useridentity.accesskeyid, NULL, NULL, NULL, NULL, NULL FROM own WHERE useridentity.accesskeyid <> ''
	UNION ALL
	SELECT key, place, at, eventname, eventid, role FROM issues WHERE start LIKE 'arn:%' AND start IN (role, session)
), walk (depth, key, at, via, issued_by, role, chain) AS (
	SELECT 0, key, min_by(at, place), min_by(via, place), min_by(issued_by, place), min_by(role, place), ARRAY[key]
	FROM starts
	GROUP BY key
	UNION ALL
	SELECT min(walk.depth) + 1, issues.key, min_by(issues.at, place), min_by(issues.eventname, place), min_by(issues.eventid, place),
		min_by(issues.role, place), min_by(walk.chain, place) || issues.key
	FROM walk JOIN issues ON issues.by_key = walk.key
	WHERE NOT contains(walk.chain, issues.key)
	GROUP BY issues.key
), keys AS (
	SELECT key, min(depth) AS depth, min_by(at, depth) AS at, min_by(via, depth) AS via, min_by(issued_by, depth) AS issued_by,
		min_by(role, depth) AS role, min_by(chain, depth) AS chain
	FROM walk
	GROUP BY key
)
SELECT keys.depth, keys.key AS accesskeyid, keys.via, keys.issued_by, keys.at AS issued_at, keys.role, keys.chain, events.*, events._time, events.eventjson
FROM cloudtrail_logs events JOIN keys ON events.useridentity.accesskeyid = keys.key
UNION ALL
SELECT 0, NULL, NULL, NULL, NULL, NULL, NULL, own.*
FROM own
WHERE coalesce(useridentity.accesskeyid, '') = ''`,
		Hidden: []string{"_time", "eventjson"},
	},
}

// Macros lists the functions that every lake has.
func Macros() []*source.Macro { return macros }
