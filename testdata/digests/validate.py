"""Lets the validator of the AWS CLI (validate-logs) judge archives in folders, with clients that read these instead of asking AWS.

Reads from stdin {"keys": what list-public-keys prints, "jobs": [{"Dir", "Bucket", "Prefix", "From", "To"}]}; a bucket is a folder in
Dir, metadata stands beside its object in NAME.metadata.json. Writes a list with an object for each job, from bucket/key to "valid" or
"INVALID: why".
"""
import contextlib
import io
import json
import pathlib
import sys

from awscli.customizations.cloudtrail import validation
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"


class S3:
    def __init__(self, folder):
        self.folder = folder

    def get_client(self, bucket):
        return Bucket(self.folder / bucket)


class Bucket:
    def __init__(self, folder):
        self.folder = folder

    def get_paginator(self, name):
        assert name == "list_objects"
        return self

    def paginate(self, Bucket, Marker, Prefix):
        names = (p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())
        self.names = sorted(n for n in names if n > Marker and n.startswith(Prefix) and not n.endswith(".metadata.json"))
        return self

    def search(self, what):
        assert what == "Contents[*].Key"
        return iter(self.names)

    def get_object(self, Bucket, Key):
        file = self.folder / Key
        if not file.is_file():
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no such key"}}, "GetObject")
        beside = file.with_name(file.name + ".metadata.json")
        metadata = json.loads(beside.read_text())["Metadata"] if beside.exists() else {}
        return {"Body": io.BytesIO(file.read_bytes()), "Metadata": metadata}


class CloudTrail:
    def __init__(self, keys):
        self.keys = keys

    def list_public_keys(self, StartTime, EndTime):
        return self.keys


def judge(job, keys):
    command = validation.CloudTrailValidateLogs(session=None)
    command.trail_arn = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/main"
    command.is_verbose = True
    command.start_time = validation.normalize_date(validation.parse_date(job["From"]))
    command.end_time = validation.normalize_date(validation.parse_date(job["To"]))
    command.s3_bucket, command.s3_prefix = job["Bucket"], job["Prefix"] or None
    command._source_region = "us-east-1"
    command.s3_client_provider = S3(pathlib.Path(job["Dir"]))
    command.cloudtrail_client, command.organization_client = CloudTrail(keys), None
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        command._call()
    verdicts = {}
    for line in out.getvalue().splitlines():
        parts = line.split("\t")
        if len(parts) == 3 and parts[1].startswith("s3://"):
            verdicts[parts[1].removeprefix("s3://")] = parts[2]
    return verdicts


asked = json.load(sys.stdin)
json.dump([judge(job, asked["keys"]) for job in asked["jobs"]], sys.stdout)
