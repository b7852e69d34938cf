"""The first process of a database node in the bed: does what cloud-init and systemd would do.

It runs inside the node (own processes, own network, own root over the machine's) and takes the
rendered user data: files are written, commands are run in order, and units are started, watched and
started again as their files say. `systemctl` in the node is a link to this program and leaves its
requests in a folder.
"""

import json
import os
import pathlib
import pwd
import shlex
import signal
import subprocess
import sys
import time

HOME = pathlib.Path("/run/bed")
REQUESTS = HOME / "requests"
UNITS = (pathlib.Path("/etc/systemd/system"), pathlib.Path("/lib/systemd/system"))


def systemctl(words):
    """enable, start, mask and daemon-reload are all that the rendered files use."""
    verb, *rest = [word for word in words if word not in ("--now", "--no-block")]
    if verb == "daemon-reload":
        return 0
    if verb == "mask":
        for unit in rest:
            link = UNITS[0] / unit
            link.unlink(missing_ok=True)
            link.symlink_to("/dev/null")
        return 0
    if verb not in ("enable", "start"):
        print(f"systemctl: {verb} is not known in the bed", file=sys.stderr)
        return 1
    if verb == "start" or "--now" in words:
        for unit in rest:
            part = REQUESTS / f".{unit}"
            part.write_text(unit)
            part.rename(REQUESTS / unit)
    return 0


class Unit:
    def __init__(self, name):
        self.name = name
        self.settings = {}
        path = next((folder / name for folder in UNITS if (folder / name).exists()), None)
        if path is None:
            raise SystemExit(f"no unit {name}")
        for line in path.read_text().splitlines():
            if "=" in line and not line.startswith(("#", "[")):
                key, value = line.split("=", 1)
                self.settings.setdefault(key.strip(), []).append(value.strip())
        self.process = None
        self.due = time.monotonic()
        self.steps = list(self.settings["ExecStart"])
        self.step = 0

    def one(self, key, default=None):
        return self.settings.get(key, [default])[-1]

    def environment(self):
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        for line in self.settings.get("Environment", []):
            key, value = line.split("=", 1)
            environment[key] = value
        for path in self.settings.get("EnvironmentFile", []):
            for line in pathlib.Path(path.lstrip("-")).read_text().splitlines():
                key, value = line.split("=", 1)
                environment[key] = value
        return environment

    def start(self):
        for condition in self.settings.get("ConditionPathExists", []):
            if pathlib.Path(condition.lstrip("!")).exists() == condition.startswith("!"):
                self.due = None
                return
        user = self.one("User")
        options = {}
        environment = self.environment()
        if user:
            entry = pwd.getpwnam(user)
            options = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": os.getgrouplist(user, entry.pw_gid)}
            environment.setdefault("HOME", entry.pw_dir)
        log = open(f"/var/log/{self.name}.log", "ab")
        self.due = None
        try:
            self.process = subprocess.Popen(
                shlex.split(self.steps[self.step]), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, cwd="/", start_new_session=True, **options,
            )
        except OSError as error:
            log.write(f"{error}\n".encode())
            self.ended(203)

    def ended(self, code):
        """What systemd does next, from Type, Restart and RestartSec."""
        self.process = None
        if self.one("Type") == "oneshot" and code == 0:
            self.step += 1
            if self.step < len(self.steps):
                self.due = time.monotonic()
            return
        restart = self.one("Restart", "no")
        if restart == "always" or (restart == "on-failure" and code != 0):
            self.step = 0
            self.due = time.monotonic() + float(self.one("RestartSec", "0.1"))


def prepare(document):
    """The files of the user data; commands come later, inside the node's own network."""
    for file in document["write_files"]:
        path = pathlib.Path(file["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["content"])
        path.chmod(int(file["permissions"], 8))


def serve(document):
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for command in document["runcmd"]:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    units = {}
    while True:
        for request in sorted(REQUESTS.glob("[!.]*")):
            name = request.read_text()
            request.unlink()
            if name not in units:
                units[name] = Unit(name)
        for unit in units.values():
            if unit.process is not None:
                code = unit.process.poll()
                if code is not None:
                    unit.ended(code)
            elif unit.due is not None and time.monotonic() >= unit.due:
                unit.start()
        # Orphans end up here, as they do with the first process of any machine.
        known = {unit.process.pid for unit in units.values() if unit.process}
        try:
            while True:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if found is None or found.si_pid in known:
                    break
                os.waitpid(found.si_pid, 0)
        except ChildProcessError:
            pass
        time.sleep(0.1)


def main():
    if pathlib.Path(sys.argv[0]).name == "systemctl":
        sys.exit(systemctl(sys.argv[1:]))
    document = json.loads((HOME / "document.json").read_text())
    {"prepare": prepare, "serve": serve}[sys.argv[1]](document)


main()
