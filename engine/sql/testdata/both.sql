SELECT 1
SELECT 'a'
SELECT 1, 2.5, 'it''s', NULL, TRUE, FALSE
SELECT 1 AS one, 2 AS two
SELECT * FROM cloudtrail_logs;
SELECT eventname FROM cloudtrail_logs
SELECT eventName, eventSource FROM cloudtrail_logs
SELECT c.* FROM cloudtrail_logs c
SELECT c.*, c.eventname FROM cloudtrail_logs AS c
SELECT DISTINCT eventname FROM cloudtrail_logs
SELECT DISTINCT eventname, awsregion FROM cloudtrail_logs
SELECT eventname name FROM cloudtrail_logs
SELECT eventname AS name, count(*) AS n FROM cloudtrail_logs GROUP BY eventname
SELECT useridentity.arn FROM cloudtrail_logs
SELECT useridentity.arn AS arn, useridentity.type FROM cloudtrail_logs
SELECT useridentity.sessioncontext.sessionissuer FROM cloudtrail_logs
SELECT * FROM lake.cloudtrail_logs
SELECT * FROM lake.cloudtrail_logs AS t, lake.other o
SELECT * FROM cloudtrail_logs WHERE eventname = 'ConsoleLogin'
SELECT * FROM cloudtrail_logs WHERE eventname <> 'ConsoleLogin'
SELECT * FROM cloudtrail_logs WHERE eventname != 'ConsoleLogin'
SELECT * FROM cloudtrail_logs WHERE eventtime < '2024-01-01T00:00:00Z'
SELECT * FROM cloudtrail_logs WHERE eventtime <= '2024-01-01' AND eventtime >= '2023-01-01'
SELECT * FROM cloudtrail_logs WHERE eventtime > '2023-01-01' AND eventtime < '2024-01-01' AND awsregion = 'us-east-1'
SELECT * FROM cloudtrail_logs WHERE errorcode IS NULL
SELECT * FROM cloudtrail_logs WHERE errorcode IS NOT NULL
SELECT * FROM cloudtrail_logs WHERE eventname IN ('RunInstances', 'TerminateInstances')
SELECT * FROM cloudtrail_logs WHERE eventname NOT IN ('RunInstances')
SELECT * FROM cloudtrail_logs WHERE eventname IN (SELECT name FROM watched)
SELECT * FROM cloudtrail_logs WHERE eventname NOT IN (SELECT name FROM watched WHERE active = 1)
SELECT * FROM cloudtrail_logs WHERE eventname LIKE 'Describe%'
SELECT * FROM cloudtrail_logs WHERE eventname NOT LIKE 'Describe%'
SELECT * FROM cloudtrail_logs WHERE eventname LIKE '!_%' ESCAPE '!'
SELECT * FROM cloudtrail_logs WHERE eventtime BETWEEN '2023-01-01' AND '2024-01-01'
SELECT * FROM cloudtrail_logs WHERE n NOT BETWEEN 1 AND 2 + 3
SELECT * FROM cloudtrail_logs WHERE n BETWEEN a - 1 AND b * 2 AND c = 1
SELECT * FROM cloudtrail_logs WHERE NOT eventname = 'x'
SELECT * FROM cloudtrail_logs WHERE NOT (eventname = 'x' OR eventname = 'y')
SELECT * FROM cloudtrail_logs WHERE NOT NOT a = 1
SELECT * FROM cloudtrail_logs WHERE NOT a = 1 AND b = 2
SELECT * FROM cloudtrail_logs WHERE NOT a IS NULL
SELECT * FROM cloudtrail_logs WHERE NOT a IN (1, 2) OR NOT b LIKE 'x'
SELECT * FROM cloudtrail_logs WHERE a = 1 OR b = 2 AND c = 3
SELECT * FROM cloudtrail_logs WHERE a = 1 AND b = 2 OR c = 3
SELECT * FROM cloudtrail_logs WHERE (a = 1 OR b = 2) AND c = 3
SELECT * FROM cloudtrail_logs WHERE a = 1 OR (b = 2 OR c = 3)
SELECT * FROM cloudtrail_logs WHERE a = 1 AND b = 2 AND c = 3 AND d = 4
SELECT * FROM cloudtrail_logs WHERE a = 1 OR b = 2 OR c = 3 OR d = 4
SELECT * FROM cloudtrail_logs WHERE a AND NOT b OR c
SELECT * FROM cloudtrail_logs WHERE ((((a = 1))))
SELECT * FROM cloudtrail_logs WHERE EXISTS (SELECT 1 FROM watched)
SELECT * FROM cloudtrail_logs c WHERE NOT EXISTS (SELECT 1 FROM watched w WHERE w.name = c.eventname)
SELECT * FROM cloudtrail_logs WHERE (a, b) IN ((1, 2), (3, 4))
SELECT * FROM cloudtrail_logs WHERE a = (SELECT max(b) FROM t)
SELECT * FROM cloudtrail_logs WHERE (a = 1) = (b = 2)
SELECT * FROM cloudtrail_logs WHERE lower(eventname) = 'x' AND length(useragent) > 10
SELECT 1 + 2 FROM t
SELECT 1 + 2 * 3 FROM t
SELECT (1 + 2) * 3 FROM t
SELECT 1 - 2 - 3 FROM t
SELECT 1 - (2 - 3) FROM t
SELECT 8 / 4 / 2, 8 / (4 / 2), 7 % 4 * 2 FROM t
SELECT a * b + c * d - e / f FROM t
SELECT a + b = c - d FROM t
SELECT a + b < c * d AND e >= f FROM t
SELECT -a FROM t
SELECT -a * b, -(a * b), a * -b, a - -b FROM t
SELECT +a FROM t
SELECT a + b IN (1, 2), a * 2 BETWEEN b AND c FROM t
SELECT a LIKE 'x' AND b FROM t
SELECT a IS NULL OR b IS NOT NULL FROM t
SELECT count(*) FROM t
SELECT count(eventname), count(DISTINCT eventname) FROM t
SELECT sum(a), min(b), max(c), avg(d + 1) FROM t
SELECT lower(upper(trimmed(a))) FROM t
SELECT f(), g(1), h(1, 'a', b) FROM t
SELECT if(a = 1, 'yes', 'no') FROM t
SELECT coalesce(a, b, 'none') FROM t
SELECT nullif(a, '') FROM t
SELECT json_extract_scalar(requestparameters, '$.bucketName') FROM t
SELECT json_extract(requestparameters, '$.a.b') AS x FROM t WHERE json_extract_scalar(requestparameters, '$.k') = 'v'
SELECT element_at(requestparameters, 'bucketName') FROM t
SELECT date_format(now(), '%Y-%m') FROM t
SELECT date_add('day', -7, now()) FROM t
SELECT from_iso8601_timestamp(eventtime) FROM t
SELECT approx_percentile(a, 0.5), approx_distinct(b) FROM t
SELECT regexp_like(a, 'b.*'), regexp_extract(a, '[a-z]+', 0) FROM t
SELECT CASE WHEN a = 1 THEN 'x' END FROM t
SELECT CASE WHEN a = 1 THEN 'x' WHEN a = 2 THEN 'y' ELSE 'z' END AS k FROM t
SELECT CASE a WHEN 1 THEN 'x' WHEN 2 THEN 'y' END FROM t
SELECT CASE a + 1 WHEN b THEN c + 1 ELSE d END + 1 FROM t
SELECT CASE WHEN a AND b OR c THEN CASE WHEN d THEN 1 ELSE 2 END END FROM t
SELECT CAST(a AS date) FROM t
SELECT CAST(a AS decimal(10, 2)), CAST(b AS json), CAST(c + 1 AS char) FROM t
SELECT INTERVAL '7' DAY FROM t
SELECT now() - INTERVAL '7' DAY, now() + INTERVAL '1' HOUR FROM t
SELECT current_timestamp, current_date FROM t
SELECT * FROM t WHERE eventtime > current_timestamp - INTERVAL '1' MONTH
SELECT (SELECT 1), (SELECT max(a) FROM u) + 1 FROM t
SELECT (a), ((a)), (a + b) FROM t
SELECT .5, 1.25, 1e3, 100 FROM t
SELECT a FROM t ORDER BY a
SELECT a FROM t ORDER BY a ASC, b DESC, c
SELECT a FROM t ORDER BY 1 DESC, count(*)
SELECT a FROM t ORDER BY a + b DESC
SELECT a FROM t LIMIT 10
SELECT a FROM t LIMIT 10 OFFSET 20
SELECT a FROM t ORDER BY b LIMIT 5
SELECT a, count(*) FROM t GROUP BY a
SELECT a, b, count(*) FROM t GROUP BY a, b
SELECT a, b, count(*) FROM t GROUP BY 1, 2
SELECT a, count(*) FROM t GROUP BY lower(a), b + 1
SELECT a, count(*) FROM t GROUP BY a HAVING count(*) > 5
SELECT a, count(*) AS n FROM t WHERE b = 1 GROUP BY a HAVING count(*) > 5 AND max(c) < 3 ORDER BY n DESC LIMIT 3
SELECT * FROM a JOIN b ON a.x = b.x
SELECT * FROM a INNER JOIN b ON a.x = b.x
SELECT * FROM a LEFT JOIN b ON a.x = b.x
SELECT * FROM a LEFT OUTER JOIN b ON a.x = b.x
SELECT * FROM a RIGHT JOIN b ON a.x = b.x AND a.y = b.y
SELECT * FROM a RIGHT OUTER JOIN b ON a.x = b.x OR a.z > 1
SELECT * FROM a JOIN b USING (x)
SELECT * FROM a LEFT JOIN b USING (x, y)
SELECT * FROM a NATURAL JOIN b
SELECT * FROM a NATURAL LEFT JOIN b
SELECT * FROM a x JOIN b AS y ON x.k = y.k JOIN c z ON z.k = y.k
SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN c ON b.y = c.y RIGHT JOIN d ON c.z = d.z
SELECT * FROM (a JOIN b ON a.x = b.x) JOIN c ON c.y = a.y
SELECT * FROM a JOIN (b JOIN c ON b.x = c.x) ON a.y = b.y
SELECT * FROM a, b, c WHERE a.x = b.x AND b.y = c.y
SELECT * FROM a, b JOIN c ON b.x = c.x
SELECT * FROM (SELECT a FROM t) q
SELECT * FROM (SELECT a, count(*) AS n FROM t GROUP BY a) AS q WHERE q.n > 1
SELECT * FROM (SELECT a FROM t) q JOIN (SELECT a FROM u) r ON q.a = r.a
SELECT * FROM (SELECT a FROM (SELECT b FROM t WHERE c = 1) x LIMIT 5) y
SELECT a FROM t UNION SELECT a FROM u
SELECT a FROM t UNION ALL SELECT a FROM u
SELECT a FROM t UNION DISTINCT SELECT a FROM u
SELECT a FROM t UNION SELECT a FROM u UNION ALL SELECT a FROM v
(SELECT a FROM t) UNION (SELECT a FROM u)
(SELECT a FROM t LIMIT 1) UNION ALL (SELECT a FROM u ORDER BY b LIMIT 2)
SELECT a FROM t UNION SELECT a FROM u ORDER BY a LIMIT 3
SELECT * FROM (SELECT a FROM t UNION ALL SELECT a FROM u) q
SELECT a FROM t WHERE a IN (SELECT b FROM u UNION SELECT c FROM v)
SELECT timestamp, date FROM t
SELECT t.timestamp, t.date FROM t WHERE date = '2024-01-01'
SELECT a /* a comment */ FROM t WHERE b = 1 -- another
SELECT/**/a/**/FROM/**/t
select a from t where b=1 and c='x' or d>=2
