"""Compacts a generated trail in several runs and holds what delta-rs reads against what trailql answers.

usage: check.py TRAILQL WORKFOLDER
After each run every table is opened at its newest version, and at the end at every version there is.
"""
import collections
import datetime
import json
import pathlib
import subprocess
import sys

import pyarrow.parquet
from deltalake import DeltaTable

TRAILQL, WORK = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2])
LAKE = WORK / "lake"
RECORDS = ["cloudtrail_logs", "cloudtrail_insights", "cloudtrail_aggregated"]
TABLES = RECORDS + ["trail_files", "trail_duplicates", "trail_quarantine", "trail_digests", "trail_verdicts"]
HIDDEN = ["_time", "_shape", "_rest", "_path", "_row", "_conflict"]


def trailql(*args, codes=(0,)):
    done = subprocess.run([TRAILQL, *args], capture_output=True, text=True)
    if done.returncode not in codes:
        sys.exit(f"trailql {' '.join(args)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def plain(value):
    """A value that compares: times without zone (all are UTC), maps as pairs, keys in order."""
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def rows_of(table, skip=("_commit", "commit")):
    """The rows, but for the columns that trailql fills in from its log."""
    return collections.Counter(
        json.dumps({k: plain(v) for k, v in row.items() if k not in skip}, sort_keys=True) for row in table.to_pylist())


def by_delta(name, version=None):
    return rows_of(DeltaTable(str(LAKE / name), version=version).to_pyarrow_table())


def by_trailql(name):
    out = WORK / "rows.parquet"
    columns = "*" if name not in RECORDS else "*, " + ", ".join(HIDDEN)
    with open(out, "wb") as f:
        subprocess.run([TRAILQL, "query", "-q", "--lake", str(LAKE), "--format", "parquet", f"SELECT {columns} FROM {name}"],
                       stdout=f, check=True)
    return rows_of(pyarrow.parquet.read_table(out))


def compare(when):
    total = 0
    for name in TABLES:
        theirs, ours = by_delta(name), by_trailql(name)
        if theirs != ours:
            example = next(iter((theirs - ours) or (ours - theirs)))
            sys.exit(f"{when}: {name}: delta-rs reads {theirs.total()} rows, trailql {ours.total()}; "
                     f"{(theirs - ours).total()} only there, {(ours - theirs).total()} only here, such as {example}")
        total += ours.total()
    print(f"{when}: {len(TABLES)} tables, {total} rows, equal")


def main():
    trailql("demo", "--trail-only", "--dir", str(WORK / "demo"), "--events", "12000", "--days", "3")
    truth = json.loads((WORK / "demo" / "truth.json").read_text())
    objects = sorted((WORK / "demo" / "trail").rglob("*.json.gz"))
    runs = 12
    for i in range(runs):
        for path in objects[i::runs]:
            target = WORK / "source" / path.relative_to(WORK / "demo" / "trail")
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        trailql("compact", str(WORK / "source"), "--lake", str(LAKE), codes=(0, 3))
        if i % 4 == 3 or i < 2:
            compare(f"after run {i + 1} of {runs}")

    merges = 0
    for name in TABLES:
        table = DeltaTable(str(LAKE / name))
        counts = {}
        for version in range(table.version() + 1):
            counts[version] = by_delta(name, version).total()
            entry = (LAKE / name / "_delta_log" / f"{version:020d}.json").read_text().splitlines()
            actions = [json.loads(line) for line in entry]
            removed = [a["remove"] for a in actions if "remove" in a]
            if removed and not any(a["remove"]["dataChange"] for a in actions if "remove" in a):
                merges += 1
                if counts[version] != counts[version - 1]:
                    sys.exit(f"{name}: the merge in version {version} changed {counts[version - 1]} rows to {counts[version]}")
        print(f"{name}: versions 0 to {table.version()} open, {counts[table.version()]} rows in the last")
        if name in truth["rows"] and counts[table.version()] != truth["rows"][name]:
            sys.exit(f"{name}: {counts[table.version()]} rows; the truth file says {truth['rows'][name]}")
    if merges == 0:
        sys.exit("no merge happened: this check did not check what it is for")
    print(f"{merges} merges changed no row count")
    cleaned()
    print("1 passed, 0 failed")


def cleaned():
    """The lake without what its checkpoints stand for: the older log entries, and trailql's index."""
    removed = 0
    for name in TABLES:
        log = LAKE / name / "_delta_log"
        last = json.loads((log / "_last_checkpoint").read_text())["version"]
        for version in range(last):
            (log / f"{version:020d}.json").unlink()
            removed += 1
        if last == 0:
            continue
        state = pyarrow.parquet.read_table(log / f"{last:020d}.checkpoint.parquet").to_pylist()
        adds = [row["add"] for row in state if row["add"]]
        if len(adds) != len(DeltaTable(str(LAKE / name), version=last).file_uris()):
            sys.exit(f"{name}: the checkpoint has {len(adds)} files, delta-rs sees others")
    for index in (LAKE / "_trailql").glob("index.db*"):
        index.unlink()
    if removed == 0:
        sys.exit("there is no checkpoint: this check did not check what it is for")
    compare(f"without {removed} log entries before the checkpoints and without the index")


main()
