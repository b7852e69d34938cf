"""strongSwan daemons in namespaces, with the rendered files."""

import pathlib
import re

from bed import BedError, run

DAEMON = "/usr/sbin/charon-systemd"

# Kernels of test machines lack ESP: the plugin carries it in user space. Where the kernel has it the
# same files work without.
PLUGINS = (
    "random nonce openssl kdf pem pkcs1 x509 pubkey kernel-libipsec kernel-netlink socket-default vici updown"
)


class Charon:
    def __init__(self, bed, space, conf, strongswan_conf):
        self.bed, self.space = bed, space
        self.folder = bed.folder / f"charon-{space}"
        self.folder.mkdir()
        self.uri = f"unix://{self.folder}/vici"
        self.conf = self.folder / "swanctl.conf"
        self.conf.write_text(conf)
        (self.folder / "rendered.conf").write_text(strongswan_conf)
        main = self.folder / "strongswan.conf"
        main.write_text(
            f"include {self.folder}/rendered.conf\n"
            "charon-systemd {\n"
            f"  load = {PLUGINS}\n"
            "  plugins {\n"
            f"    vici {{\n      socket = {self.uri}\n    }}\n"
            "    kernel-netlink {\n      mtu = 1400\n    }\n"
            "  }\n"
            f"  filelog {{\n    log {{\n      path = {self.folder}/charon.log\n"
            "      default = 1\n      flush_line = yes\n    }\n  }\n"
            "}\n"
        )
        self.env = {"STRONGSWAN_CONF": str(main)}
        self.process = bed.start([DAEMON], self.folder / "out.log", space=space, env=self.env)
        bed.wait(f"charon in {space} answers", 20, lambda: self.swanctl("--stats", check=False).returncode == 0)
        loaded = self.swanctl("--load-all", "--file", self.conf)
        # The folders of certificates do not exist: the tunnels use keys.
        faults = [line for line in loaded.stdout.splitlines() if "failed" in line and not line.startswith("opening directory")]
        if faults:
            raise BedError(f"charon refuses the rendered file:\n{loaded.stdout}")

    def swanctl(self, *words, check=True):
        import os
        return run(["swanctl", *words, "--uri", self.uri], check=check, env={**os.environ, **self.env})

    def connections(self):
        return re.findall(r"^(\S+): IKEv2", self.swanctl("--list-conns").stdout, re.M)

    def installed(self):
        """Connection name to (bytes in, bytes out) of its installed association."""
        found = {}
        name = None
        text = self.swanctl("--list-sas").stdout
        inside = None
        for line in text.splitlines():
            head = re.match(r"^(\S+): #\d+, (\w+)", line)
            if head:
                name, inside = head.group(1), None
            child = re.match(r"^  \S+: #\d+, reqid \d+, (\w+)", line)
            if child:
                inside = child.group(1) == "INSTALLED"
                if inside:
                    found.setdefault(name, [0, 0])
            count = re.match(r"^    (in|out)\s+\S+,\s+(\d+) bytes,", line)
            if count and inside:
                found[name][0 if count.group(1) == "in" else 1] += int(count.group(2))
        return {key: tuple(value) for key, value in found.items()}

    def log(self):
        return pathlib.Path(self.folder / "charon.log").read_text()
