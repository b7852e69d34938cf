"""The S3 backend's lock, against an S3 that runs here: taken, refused to a second, given back."""

import argparse
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import boto3

SLOW = """
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "sleep 4"
  }
}
"""


def fail(sentence):
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(test, what, seconds=20):
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        try:
            if test():
                return
        except Exception:  # the server is not there yet
            pass
        time.sleep(0.1)
    fail(f"{what}: not within {seconds} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tofu", required=True)
    parser.add_argument("--backend", type=pathlib.Path, required=True, help="file whose backend block is tried")
    words = parser.parse_args()
    block = re.search(r'  backend "s3" \{.*?\n  \}\n', words.backend.read_text(), re.S)
    if not block or "use_lockfile = true" not in re.sub(r" +", " ", block.group(0)):
        fail(f"{words.backend} has no S3 backend with a lock file")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [str(pathlib.Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )
    try:
        prove(words.tofu, block.group(0), url)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def prove(tofu, block, url):
    login = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "ap-northeast-2"}
    s3 = boto3.client("s3", endpoint_url=url, **login)
    wait_for(lambda: s3.list_buckets(), "the S3 stand-in answers")
    s3.create_bucket(Bucket="states", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-2"})
    with tempfile.TemporaryDirectory() as folder:
        stack = pathlib.Path(folder)
        (stack / "main.tf").write_text("terraform {\n" + block + "}\n" + SLOW)
        (stack / "backend.hcl").write_text(
            f'bucket = "states"\nregion = "ap-northeast-2"\nendpoints = {{ s3 = "{url}" }}\n'
            "use_path_style = true\nskip_credentials_validation = true\nskip_requesting_account_id = true\nskip_metadata_api_check = true\n"
        )
        environment = {
            **os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "TF_CLI_CONFIG_FILE": "/dev/null",
            "CHECKPOINT_DISABLE": "1", "AWS_EC2_METADATA_DISABLED": "true",
        }

        def run(*arguments, **options):
            return subprocess.Popen(
                [tofu, *arguments, "-no-color"], cwd=stack, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options,
            )

        first = run("init", "-backend-config=backend.hcl")
        output, _ = first.communicate(timeout=60)
        if first.returncode != 0:
            fail(f"init fails:\n{output}")

        def keys():
            return [item["Key"] for item in s3.list_objects_v2(Bucket="states").get("Contents", [])]

        holder = run("apply", "-auto-approve")
        wait_for(lambda: any(key.endswith(".tflock") for key in keys()), "the lock is written")
        lock = next(key for key in keys() if key.endswith(".tflock"))
        owner = json.loads(s3.get_object(Bucket="states", Key=lock)["Body"].read())
        second = run("apply", "-auto-approve", "-lock-timeout=0s")
        output, _ = second.communicate(timeout=60)
        if second.returncode == 0 or "Error acquiring the state lock" not in output:
            fail(f"a second writer was not refused:\n{output}")
        if owner["ID"] not in output:
            fail("the refusal does not name the holder")
        output, _ = holder.communicate(timeout=60)
        if holder.returncode != 0:
            fail(f"the holder of the lock fails:\n{output}")
        if any(key.endswith(".tflock") for key in keys()):
            fail(f"the lock stays behind: {keys()}")
        third = run("plan", "-detailed-exitcode")
        output, _ = third.communicate(timeout=60)
        if third.returncode != 0:
            fail(f"after the lock is given back a plan fails or finds changes:\n{output}")
    print("lock: taken, refused to a second writer by name, given back")


main()
