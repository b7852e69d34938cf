"""The users' scripts against a stand-in for the AWS command line: what they call, in which order."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

STAND_IN = """#!/bin/bash
echo "$*" >>"$CALLS"
case "$*" in
  *describe-instances*running*) printf 'i-1\\ti-2\\ti-3\\n' ;;
  *describe-instances*stopped*) printf 'i-1\\ti-2\\ti-3\\n' ;;
  *list-nodegroups*) echo workers ;;
  *describe-nodegroup*) echo 4 ;;
  *describe-vpn-connections*Status*) printf 'UP\\tDOWN\\n' ;;
  *get-resources*kubernetes.io*) echo "$ORPHAN" ;;
esac
"""


def fail(sentence):
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(1)


def expect(condition, sentence):
    if not condition:
        fail(sentence)


class Bench:
    def __init__(self, infra, folder):
        self.infra, self.folder = infra, pathlib.Path(folder)
        self.calls = self.folder / "calls"
        programs = self.folder / "bin"
        programs.mkdir()
        aws = programs / "aws"
        aws.write_text(STAND_IN)
        aws.chmod(0o755)
        curl = programs / "curl"
        curl.write_text('#!/bin/bash\n[[ "$*" == *"10.0.32.10:8008/primary"* ]] && printf 200 || exit 22\n')
        curl.chmod(0o755)
        self.environment = {
            **os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(self.calls), "PAUSE_SECONDS": "0", "ORPHAN": "",
        }

    def run(self, script, *words, **environment):
        self.calls.write_text("")
        done = subprocess.run(
            [str(self.infra / "scripts" / script), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={**self.environment, **environment}, check=False, timeout=60,
        )
        return done, self.calls.read_text().splitlines()


def night(bench):
    done, calls = bench.run("lab.sh", "hibernate")
    expect(done.returncode == 0, f"hibernate fails: {done.stderr}")
    order = [call for call in calls if "update-nodegroup-config" in call or "stop-instances" in call]
    expect("desiredSize=0,maxSize=4" in order[0], f"workers do not sleep first: {order}")
    stopped = [call.split("--instance-ids ")[1] for call in order[1:]]
    expect(stopped == ["i-3", "i-2", "i-1"], f"the nodes sleep in the order {stopped}")
    done, calls = bench.run("lab.sh", "wake")
    expect(done.returncode == 0, f"wake fails: {done.stderr}")
    started = next(index for index, call in enumerate(calls) if "start-instances --instance-ids i-1 i-2 i-3" in call)
    woken = next(index for index, call in enumerate(calls) if "desiredSize=2" in call)
    expect(started < woken, "the workers wake before the database")


def outside(bench):
    done, _ = bench.run("lab.sh", "doctor")
    expect(done.returncode == 1 and "FAIL  tunnels up: 1 of 2" in done.stdout, f"doctor misses a dead tunnel: {done.stdout}")
    expect("ok    nodes that answer 200 on /primary: 1" in done.stdout, f"doctor miscounts leaders: {done.stdout}")
    done, _ = bench.run("lab.sh", "orphans")
    expect(done.returncode == 0 and "no orphans" in done.stdout, f"orphans sees some: {done.stdout}")
    done, _ = bench.run("lab.sh", "orphans", ORPHAN="arn:aws:elasticloadbalancing:x:loadbalancer/net/k8s")
    expect(done.returncode == 1 and "loadbalancer/net/k8s" in done.stdout, "orphans misses a balancer")


def keys(bench):
    golden = bench.infra / "tests/golden/rendered"
    files = {str(path.relative_to(golden)): path.read_text() for path in golden.rglob("*") if path.is_file() and "user-data" not in str(path)}
    rendered = bench.folder / "files.json"
    rendered.write_text(json.dumps(files))
    target = bench.folder / "out"
    done, _ = bench.run("render.sh", RENDERED=str(rendered), TARGET=str(target))
    expect(done.returncode == 1 and "no pre-shared key of tunnel 1" in done.stderr, f"a missing key is not refused: {done.stderr}")
    expect(not target.exists(), "files were written without a key")
    given = bench.folder / "keys.json"
    given.write_text(json.dumps({"1": "first.key.of.ours", "2": "0starts.with.zero"}))
    done, _ = bench.run("render.sh", RENDERED=str(rendered), TARGET=str(target), TUNNEL_KEYS=str(given))
    expect(done.returncode == 1 and "tunnel 2" in done.stderr, f"a bad key is not refused: {done.stderr}")
    given.write_text(json.dumps({"1": "first.key.of.ours", "2": "second.key.of.ours"}))
    done, _ = bench.run("render.sh", RENDERED=str(rendered), TARGET=str(target), TUNNEL_KEYS=str(given))
    expect(done.returncode == 0, f"render fails: {done.stderr}")
    text = (target / "swanctl/gateway.conf").read_text()
    expect("first.key.of.ours" in text and "@PRESHARED" not in text, "a key is not joined in")
    expect((target / "pfsense/ipsec.xml").stat().st_mode & 0o777 == 0o600, "others can read the keys")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--infra", type=pathlib.Path, required=True)
    infra = parser.parse_args().infra
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(infra, folder)
        night(bench)
        outside(bench)
        keys(bench)
    print("scripts: the night, the doctor, the orphans and the keys behave")


main()
