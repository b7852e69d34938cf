"""Three database nodes from their rendered user data: etcd, Patroni and PostgreSQL, all real.

Proves: the steps of the user data bring a cluster with one leader and two replicas; what the balancer
calls healthy is the leader; after the leader's node is killed at once another leads and takes writes.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import time

from bed import Bed, BedError, expect, main, read_json, run

HERE = pathlib.Path(__file__).parent
NODES = {"vm-db01": "10.77.0.11", "vm-db02": "10.77.0.12", "vm-db03": "10.77.0.13"}
PASSWORDS = {"superuser": "bed-superuser", "replication": "bed-replication", "rewind": "bed-rewind"}


class Node:
    def __init__(self, bed, name, address, document):
        self.bed, self.name, self.address = bed, name, address
        self.process = None
        self.root = bed.folder / name
        # A root over the machine's: what the steps install and write stays here and goes with the bed.
        layer = bed.folder / f"{name}-layer"
        for folder in (self.root, layer):
            folder.mkdir()
        self.mount("tmpfs", layer, "-t", "tmpfs", "-o", "size=1g,mode=755")
        for part in ("upper", "work"):
            (layer / part).mkdir(mode=0o755)
        self.mount("overlay", self.root, "-t", "overlay", "-o", f"lowerdir=/,upperdir={layer}/upper,workdir={layer}/work")
        self.mount("/dev", self.root / "dev", "--rbind", "--make-rslave")
        self.mount("proc", self.root / "proc", "-t", "proc")
        self.mount("tmpfs", self.root / "run", "-t", "tmpfs", "-o", "mode=755")
        self.mount("tmpfs", self.root / "tmp", "-t", "tmpfs", "-o", "mode=1777")
        home = self.root / "run/bed"
        (home / "requests").mkdir(parents=True)
        (home / "document.json").write_text(json.dumps(document))
        shutil.copy(HERE / "node_init.py", home / "node_init.py")
        systemctl = self.root / "usr/bin/systemctl"
        systemctl.unlink(missing_ok=True)
        systemctl.write_text("#!/usr/bin/python3\n" + (HERE / "node_init.py").read_text())
        systemctl.chmod(0o755)
        if pathlib.Path("/etc/resolv.conf").exists():
            resolv = self.root / "etc/resolv.conf"
            resolv.unlink(missing_ok=True)
            resolv.write_text(pathlib.Path("/etc/resolv.conf").read_text())
        secrets = self.root / "etc/skybridge/database-secrets.json"
        secrets.parent.mkdir(parents=True, exist_ok=True)
        secrets.write_text(json.dumps(PASSWORDS))
        secrets.chmod(0o600)
        # The overlay keeps the machine's own cluster of the distribution, if there is one, out of sight.
        bed.space(name)
        bed.link(name, "eth0", f"{address}/24", "hub", name, None)

    def mount(self, source, target, *words):
        run(["mount", *words, source, target])
        self.bed.mounts.append(target)

    def install(self):
        """The package steps, with the machine's own network: the node's has no way out."""
        run(["chroot", self.root, "/usr/bin/python3", "/run/bed/node_init.py", "prepare"])
        # As bare as cloud-init's environment, but with what the machine's package clients are told.
        kept = {key: value for key, value in os.environ.items() if key.startswith("PIP_") or key.lower().endswith("_proxy")}
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **kept}
        done = run(["chroot", self.root, "/usr/local/sbin/skybridge-database", "install"], check=False, timeout=300, env=environment)
        expect(done.returncode == 0, f"the package steps of {self.name} fail:\n{done.stdout[-2000:]}")

    def boot(self):
        words = ["unshare", "--pid", "--fork", "--kill-child", "--ipc", "--mount", "--uts",
                 "chroot", str(self.root), "/usr/bin/python3", "/run/bed/node_init.py", "serve"]
        self.process = self.bed.start(words, self.bed.folder / f"{self.name}.log", space=self.name)

    def power_off(self):
        """Ends everything in the node at once: its first process takes all others along."""
        for pid in run(["ip", "netns", "pids", self.bed.full(self.name)], check=False).stdout.split():
            try:
                os.kill(int(pid), 9)
            except ProcessLookupError:
                pass

    def tail(self):
        text = ""
        for path in (self.bed.folder / f"{self.name}.log", *sorted((self.root / "var/log").glob("*.service.log"))):
            if path.exists():
                text += f"--- {self.name} {path.name}\n{path.read_text(errors='replace')[-800:]}\n"
        return text


def ask(bed, address, path):
    """Status and body of a request from the hub."""
    script = (
        "import sys,urllib.request,urllib.error\n"
        "try:\n r=urllib.request.urlopen(sys.argv[1],timeout=2); print(r.status); print(r.read().decode())\n"
        "except urllib.error.HTTPError as e: print(e.code); print(e.read().decode())\n"
        "except OSError as e: print(0); print(e)\n"
    )
    answer = bed.inside("hub", "/usr/bin/python3", "-c", script, f"http://{address}:8008{path}").stdout
    status, _, body = answer.partition("\n")
    return int(status), body


def members(bed, address):
    status, body = ask(bed, address, "/cluster")
    return json.loads(body)["members"] if status == 200 else []


def sql(bed, address, text, user="postgres", password="superuser"):
    environment = {**os.environ, "PGPASSWORD": PASSWORDS[password], "PGCONNECT_TIMEOUT": "3"}
    return bed.inside("hub", "psql", "-X", "-A", "-t", "-h", address, "-U", user, "-d", "postgres", "-c", text, check=False, env=environment)


def healthy_now(path):
    state = {}
    for line in path.read_text().splitlines():
        if line.startswith("{"):
            change = json.loads(line)
            state[change["address"]] = change["healthy"]
    return sorted(address for address, good in state.items() if good)


def bed_main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rendered", type=pathlib.Path, required=True)
    parser.add_argument("--plan", type=pathlib.Path, required=True, help="the compute stack's plan, for the health check")
    words = parser.parse_args()
    import yaml
    check = health_check(read_json(words.plan))
    bed = Bed("database", ["mount", "unshare", "chroot", "psql"])
    bed.space("hub")
    nodes = {}
    for name, address in NODES.items():
        document = yaml.safe_load((words.rendered / f"user-data/{name}.yaml").read_text())
        nodes[name] = Node(bed, name, address, document)
    bed.bridge("hub", "lan0", list(NODES))
    bed.ip("hub", "addr", "add", "10.77.0.1/24", "dev", "lan0")

    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(Node.install, nodes.values()))
    bed.say("the package steps have run on three nodes")
    for node in nodes.values():
        node.boot()
    try:
        prove(bed, nodes, check)
    except BedError as error:
        logs = "".join(node.tail() for node in nodes.values())
        raise BedError(f"{error}\n{logs}") from None
    bed.close()


def prove(bed, nodes, check):
    addresses = list(NODES.values())
    log = bed.folder / "balancer.log"
    bed.start(
        ["/usr/bin/python3", HERE / "balancer.py", check["path"], *(str(check[key]) for key in ("interval", "timeout", "healthy_threshold", "unhealthy_threshold")), *addresses],
        log, space="hub",
    )

    def complete():
        states = {member["name"]: (member["role"], member["state"]) for member in members(bed, addresses[0])}
        return sorted(states.values()) == [("leader", "running"), ("replica", "streaming"), ("replica", "streaming")]

    bed.wait("one leader and two streaming replicas", 150, complete)
    leader = next(member["name"] for member in members(bed, addresses[0]) if member["role"] == "leader")
    bed.say(f"{leader} leads, two replicas stream")
    version = json.loads(ask(bed, NODES[leader], "/patroni")[1])["patroni"]["version"]
    expect(tuple(int(part) for part in version.split(".")[:2]) >= (4, 1), f"Patroni {version} runs, 4.1 is the least")

    bed.wait("the balancer sees exactly the leader", 30, lambda: healthy_now(log) == [NODES[leader]])
    bed.say(f"the balancer sends writers to {leader} alone (Patroni {version})")
    written = sql(bed, NODES[leader], "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1); SELECT count(*) FROM kept")
    expect(written.returncode == 0, f"the leader takes no write: {written.stdout}")
    role = sql(bed, NODES[leader], "SELECT pg_has_role('otel', 'pg_monitor', 'MEMBER')")
    expect(role.stdout.strip() == "t", f"the agent's role is missing: {role.stdout}")
    replica = next(name for name in NODES if name != leader)
    bed.wait("the row reaches a replica", 10, lambda: sql(bed, NODES[replica], "SELECT n FROM kept").stdout.strip() == "1")
    refused = sql(bed, NODES[replica], "INSERT INTO kept VALUES (2)")
    expect(refused.returncode != 0 and "read-only" in refused.stdout, f"a replica takes writes: {refused.stdout}")

    nodes[leader].power_off()
    begin = time.monotonic()
    survivors = [address for name, address in NODES.items() if name != leader]
    bed.wait("another node answers 200 on /primary", 60, lambda: any(ask(bed, address, "/primary")[0] == 200 for address in survivors))
    moved = time.monotonic() - begin
    fresh = next(name for name, address in NODES.items() if name != leader and ask(bed, address, "/primary")[0] == 200)
    bed.wait("the balancer follows", 40, lambda: healthy_now(log) == [NODES[fresh]])
    followed = time.monotonic() - begin
    bed.wait("the new leader takes a write", 10, lambda: sql(bed, NODES[fresh], "INSERT INTO kept VALUES (2)").returncode == 0)
    rows = sql(bed, NODES[fresh], "SELECT string_agg(n::text, ',' ORDER BY n) FROM kept").stdout.strip()
    expect(rows == "1,2", f"rows after the move: {rows}")
    bed.say(f"{leader} was killed, {fresh} leads after {moved:.1f} s, the balancer follows after {followed:.1f} s, no row lost")


def health_check(plan):
    found = [
        change["change"]["after"]["health_check"][0]
        for change in plan["resource_changes"]
        if change["type"] == "aws_lb_target_group" and change["change"]["after"]["port"] == 5432 and change["change"]["after"]["health_check"][0]["path"] == "/primary"
    ]
    expect(len(found) == 1, f"the plan has {len(found)} groups that ask for /primary")
    expect(found[0]["port"] == "8008" and found[0]["protocol"] == "HTTP", f"Patroni is not asked: {found[0]}")
    return found[0]


main(bed_main)
