"""Compacts a generated trail in several runs and holds what Trino and Spark read in the lake against what trailql answers.

usage: check.py TRAILQL WORKFOLDER JARS TRINO JAVAHOME     (TRINO and JAVAHOME may be empty: Spark alone)
Both engines are told of the lake by the statements of "trailql lake ddl". Asked are: the rows of every table, the controls of the
CIS packs as they stand, and questions in both shapes, before and after new rows were added and files were merged.
"""
import collections
import glob
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

TRAILQL, WORK = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]).resolve()
JARS, TRINO, JAVA = sys.argv[3:6]
LAKE = WORK / "lake"
FROM, TO = "2026-03-02 00:00:00", "2026-03-06 00:00:00"

# Questions that all engines read alike; rows compare as texts.
QUESTIONS = [
    "SELECT count(*) AS n, count(DISTINCT eventid) AS ids, min(eventtime) AS low, max(eventtime) AS high FROM cloudtrail_logs",
    "SELECT account, region, date, count(*) AS n FROM cloudtrail_logs GROUP BY account, region, date",
    "SELECT useridentity.type AS t, useridentity.sessioncontext.sessionissuer.username AS u, count(*) AS n FROM cloudtrail_logs GROUP BY 1, 2",
    "SELECT eventname, errorcode, count(*) AS n FROM cloudtrail_logs WHERE date = DATE '2026-03-04' AND errorcode IS NOT NULL GROUP BY eventname, errorcode",
    "SELECT eventid, _path, _row, requestparameters, _rest, _shape FROM cloudtrail_logs WHERE eventname IN ('ConsoleLogin', 'AssumeRole', 'PutObject')",
    "SELECT json_extract_scalar(requestparameters, '$.bucketName') AS b, count(*) AS n FROM cloudtrail_logs WHERE eventsource = 's3.amazonaws.com' GROUP BY 1",
    "SELECT readonly, managementevent, count(*) AS n FROM cloudtrail_lake GROUP BY readonly, managementevent",
    "SELECT element_at(requestparameters, 'roleArn') AS role, element_at(additionaleventdata, 'MFAUsed') AS mfa, count(*) AS n FROM cloudtrail_lake WHERE eventname IN ('AssumeRole', 'ConsoleLogin') GROUP BY 1, 2",
    "SELECT count(*) AS n, sum(cardinality(requestparameters)) AS keys, sum(cardinality(responseelements)) AS more FROM cloudtrail_lake",
    "SELECT path, state, records, \"rows\", duplicates, quarantined FROM trail_files",
    "SELECT path, \"row\", reason FROM trail_quarantine",
    "SELECT path, \"row\", kept_path, kept_row FROM trail_duplicates",
    "SELECT path, account, region, cardinality(logs) AS n FROM trail_digests",
    "SELECT eventid, account, region, date FROM cloudtrail_insights",
    "SELECT eventid, account, region, date FROM cloudtrail_aggregated",
]


def trailql(*args, codes=(0,)):
    done = subprocess.run([TRAILQL, *args], capture_output=True, text=True)
    if done.returncode not in codes:
        sys.exit(f"trailql {' '.join(args)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def text(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def multiset(rows):
    return collections.Counter(tuple(text(v) for v in row) for row in rows)


def by_trailql(sql):
    out = trailql("query", "-q", "--lake", str(LAKE), "--format", "jsonl", "--", sql)
    return multiset(list(json.loads(line).values()) for line in out.splitlines())


def controls():
    """The SQL of every control of the CIS packs, with the period written in."""
    packs = [line.split()[0] for line in trailql("report", "list").splitlines()[1:]]
    seen = set()
    for pack in packs:
        folder = WORK / "packs" / pack
        trailql("report", "export", pack, str(folder))
        for path in sorted(folder.rglob("*.sql")):
            sql = path.read_text().replace(":from", f"TIMESTAMP '{FROM}'").replace(":to", f"TIMESTAMP '{TO}'").strip().rstrip(";")
            if sql not in seen:
                seen.add(sql)
                yield f"{pack} {path.stem}", sql


class Trino:
    name = "Trino"

    def __init__(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        etc = WORK / "trino" / "etc"
        (etc / "catalog").mkdir(parents=True)
        files = {
            "node.properties": f"node.environment=test\nnode.id=one\nnode.data-dir={WORK}/trino/data\n",
            "config.properties": "coordinator=true\nnode-scheduler.include-coordinator=true\nquery.max-memory=1GB\n"
                                 f"http-server.http.port={self.port}\ndiscovery.uri=http://127.0.0.1:{self.port}\n",
            "jvm.config": "-server\n-Xmx3G\n-XX:+UseSerialGC\n--enable-native-access=ALL-UNNAMED\n-Dfile.encoding=UTF-8\n"
                          "--sun-misc-unsafe-memory-access=allow\n--add-modules=jdk.incubator.vector\n",
            "log.properties": "io.trino=WARN\n",
            "catalog/delta.properties": "connector.name=delta_lake\nhive.metastore=file\nhive.metastore.catalog.dir=local:///metastore\n"
                                        f"fs.native-local.enabled=true\nlocal.location={WORK}\ndelta.register-table-procedure.enabled=true\n",
        }
        for name, content in files.items():
            (etc / name).write_text(content)
        env = dict(os.environ, JAVA_HOME=JAVA, PATH=f"{JAVA}/bin:{os.environ['PATH']}")
        self.log = open(WORK / "trino.log", "w")
        self.server = subprocess.Popen([f"{TRINO}/bin/launcher", "run", f"--etc-dir={etc}"], stdout=self.log, stderr=self.log, env=env, start_new_session=True)
        deadline = time.monotonic() + 240
        while True:
            try:
                self.ask("SELECT 1")
                return
            except Exception as error:
                if time.monotonic() > deadline or self.server.poll() is not None:
                    sys.exit(f"Trino does not start: {error}\n{(WORK / 'trino.log').read_text()[-3000:]}")
                time.sleep(1)

    def ask(self, sql):
        headers = {"X-Trino-User": "check", "X-Trino-Catalog": "delta", "X-Trino-Schema": "trailql", "X-Trino-Time-Zone": "UTC"}
        page = json.load(urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/statement", sql.encode(), headers)))
        rows = []
        while True:
            if "error" in page:
                raise RuntimeError(page["error"]["message"])
            rows += page.get("data", [])
            if "nextUri" not in page:
                return rows
            page = json.load(urllib.request.urlopen(urllib.request.Request(page["nextUri"], headers=headers)))

    def register(self):
        for statement in statements("trino", "local:///lake", "--catalog", "delta"):
            self.ask(statement)

    def rows(self, sql):
        return multiset(self.ask(sql))

    def stop(self):
        os.killpg(self.server.pid, signal.SIGKILL)


class Spark:
    name = "Spark"

    def __init__(self):
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        from pyspark.sql import SparkSession
        settings = {
            "spark.jars": ",".join(sorted(glob.glob(f"{JARS}/*.jar"))),
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.sql.session.timeZone": "UTC", "spark.sql.shuffle.partitions": "2", "spark.databricks.delta.snapshotPartitions": "2",
            "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.driver.memory": "2g",
            "spark.sql.warehouse.dir": str(WORK / "warehouse"),
        }
        builder = SparkSession.builder.master("local[2]")
        for key, value in settings.items():
            builder = builder.config(key, value)
        self.session = builder.getOrCreate()
        self.session.sparkContext.setLogLevel("ERROR")

    def register(self):
        for statement in statements("spark", f"file://{LAKE}"):
            self.session.sql(statement)
        self.session.sql("USE trailql")

    def rows(self, sql):
        # Spark writes identifiers in backticks.
        return multiset(self.session.sql(re.sub(r'"(\w+)"', r"`\1`", sql)).collect())

    def stop(self):
        self.session.stop()


def statements(engine, location, *more):
    text = trailql("lake", "ddl", engine, "--location", location, *more)
    return [s for s in re.split(r";\n", text) if s.strip()]


def compare(engine, when, asked):
    total = 0
    for name, sql in asked:
        ours = by_trailql(sql)
        try:
            theirs = engine.rows(sql)
        except Exception as error:
            sys.exit(f"{engine.name}, {when}: {name}: {error}\n{sql}")
        if theirs != ours:
            example = lambda c: next(iter(c.items()), None)
            sys.exit(f"{engine.name}, {when}: {name}: {theirs.total()} rows there, {ours.total()} here; only there: {example(theirs - ours)}; "
                     f"only here: {example(ours - theirs)}\n{sql}")
        total += ours.total()
    print(f"{engine.name}, {when}: {len(asked)} questions, {total} rows, equal", flush=True)


def main():
    trailql("demo", "--trail-only", "--dir", str(WORK / "demo"), "--events", "20000", "--days", "4")
    objects = sorted((WORK / "demo" / "trail").rglob("*.json.gz"))
    source = WORK / "source"

    def add(some):
        for path in some:
            to = source / path.relative_to(WORK / "demo" / "trail")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
        trailql("compact", str(source), "--lake", str(LAKE), codes=(0, 3))

    asked = [(sql, sql) for sql in QUESTIONS]
    packs = list(controls())
    for i in range(3):
        add(objects[i::6])
    engines = [Spark()]
    if TRINO:
        engines.append(Trino())
    else:
        print("note: no Java 24 or later was found, so Trino was not asked")
    try:
        for engine in engines:
            engine.register()
            compare(engine, "three runs", asked)
        for i in range(3, 6):
            add(objects[i::6])
        for engine in engines:
            compare(engine, "six runs, merged", asked)
            compare(engine, "controls of the CIS packs", packs)
    finally:
        for engine in engines:
            engine.stop()


main()
