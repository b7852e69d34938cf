"""Namespaces and processes of a test bed, all gone at its end.

Names carry the bed's process id, so that two beds or a left-over one never meet. Every process is
started in a group of its own and ended by that group; nothing is ended by name.
"""

import atexit
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time


class BedError(Exception):
    """The bed does not do what it must."""


class Bed:
    def __init__(self, name, programs):
        if os.geteuid() != 0:
            raise BedError("a bed needs root: it makes network namespaces")
        missing = [program for program in ("ip", *programs) if not shutil.which(program)]
        if missing:
            raise BedError(f"programs are missing: {', '.join(missing)}")
        if not os.path.exists("/dev/net/tun"):
            raise BedError("/dev/net/tun is missing: the tunnels of the beds need it")
        self.prefix = f"sb{os.getpid()}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"skybridge-{name}-"))
        self.folder.chmod(0o755)
        self.spaces = []
        self.processes = []
        self.mounts = []
        self.begin = time.monotonic()
        atexit.register(self.close)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))

    def say(self, text):
        print(f"  {time.monotonic() - self.begin:6.1f} s  {text}", flush=True)

    # ---- namespaces

    def space(self, name):
        full = f"{self.prefix}-{name}"
        run(["ip", "netns", "add", full])
        self.spaces.append(full)
        run(["ip", "-n", full, "link", "set", "lo", "up"])
        return full

    def full(self, name):
        return f"{self.prefix}-{name}"

    def link(self, one, device, address, other, peer, peer_address):
        """A cable between two namespaces; an address may be None."""
        one, other = self.full(one), self.full(other)
        run(["ip", "-n", one, "link", "add", device, "type", "veth", "peer", "name", peer, "netns", other])
        for space, name, value in ((one, device, address), (other, peer, peer_address)):
            if value:
                run(["ip", "-n", space, "addr", "add", value, "dev", name])
            run(["ip", "-n", space, "link", "set", name, "up"])

    def bridge(self, space, name, ports):
        run(["ip", "-n", self.full(space), "link", "add", name, "type", "bridge"])
        run(["ip", "-n", self.full(space), "link", "set", name, "up"])
        for port in ports:
            run(["ip", "-n", self.full(space), "link", "set", port, "master", name])

    def ip(self, space, *words):
        return run(["ip", "-n", self.full(space), *words])

    def inside(self, space, *words, check=True, **options):
        return run(["ip", "netns", "exec", self.full(space), *words], check=check, **options)

    # ---- processes

    def start(self, words, log, space=None, env=None, **options):
        if space:
            words = ["ip", "netns", "exec", self.full(space), *words]
        output = open(log, "ab")
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True, env={**os.environ, **(env or {})}, **options,
        )
        self.processes.append(process)
        return process

    def wait(self, what, seconds, test):
        """Polls until the test is true; the caller learns how long it took."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            if test():
                return time.monotonic() - begin
            time.sleep(0.1)
        raise BedError(f"{what}: not within {seconds} s")

    # ---- end

    def close(self):
        atexit.unregister(self.close)
        for process in reversed(self.processes):
            end_group(process, signal.SIGTERM)
        deadline = time.monotonic() + 5
        for process in reversed(self.processes):
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                end_group(process, signal.SIGKILL)
                process.wait()
        # What a daemon of the bed left behind lives in its namespace and nowhere else.
        for space in self.spaces:
            found = run(["ip", "netns", "pids", space], check=False).stdout.split()
            for pid in found:
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
        for mount in reversed(self.mounts):
            run(["umount", "-R", "-l", str(mount)], check=False)
        for space in reversed(self.spaces):
            run(["ip", "netns", "del", space], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def end_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def run(words, check=True, **options):
    options.setdefault("timeout", 60)
    # The caller's folder may go away meanwhile; every path here is absolute.
    options.setdefault("cwd", "/")
    done = subprocess.run(
        [str(word) for word in words], stdin=options.pop("stdin", subprocess.DEVNULL) if "input" not in options else None,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options,
    )
    if check and done.returncode != 0:
        raise BedError(f"{' '.join(str(word) for word in words)} ended with {done.returncode}:\n{done.stdout}")
    return done


def expect(condition, sentence):
    if not condition:
        raise BedError(sentence)


def main(function):
    """Runs a bed; a failure is one sentence and a code."""
    try:
        function()
    except BedError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def read_json(path):
    return json.loads(pathlib.Path(path).read_text())
