"""The developers' entrance from the rendered files: a laptop, a network, the gateway with lab and VPC."""

import argparse
import os
import pathlib
import re

from bed import Bed, expect, main, run

LAN, VPC = "172.16.4.1", "10.20.0.1"


def keypair():
    private = run(["wg", "genkey"]).stdout.strip()
    public = run(["wg", "pubkey"], input=private).stdout.strip()
    return private, public


def setting(text, name):
    return re.search(rf"^{name} = (.*)$", text, re.M).group(1)


def up(bed, space, device, path):
    """What wg-quick would do, but inside a namespace and in user space."""
    text = path.read_text()
    stripped = bed.folder / f"{space}.stripped"
    stripped.write_text(run(["wg-quick", "strip", path]).stdout)
    bed.start(["wireguard-go", "-f", device], bed.folder / f"{space}.log", space=space)
    bed.wait(f"{device} exists", 10, lambda: run(["wg", "show", device], check=False).returncode == 0)
    bed.inside(space, "wg", "setconf", device, stripped)
    bed.ip(space, "addr", "add", setting(text, "Address"), "dev", device)
    mtu = re.search(r"^MTU = (\d+)$", text, re.M)
    bed.ip(space, "link", "set", device, "mtu", mtu.group(1) if mtu else "1420", "up")
    return text


def ping(bed, space, target, size=56):
    return bed.inside(space, "ping", "-n", "-q", "-c", "1", "-W", "1", "-s", str(size), "-M", "do", target, check=False).returncode == 0


def bed_main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rendered", type=pathlib.Path, required=True)
    rendered = parser.parse_args().rendered
    bed = Bed("wireguard", ["ping", "wg", "wg-quick", "wireguard-go"])
    (gate_private, gate_public), (user_private, user_public) = keypair(), keypair()
    marks = {
        "WIREGUARDGATEWAYPUBLICKEYISMADEBYTHEBEDAAAA=": gate_public,
        "WIREGUARDLAPTOPPUBLICKEYISMADEBYTHEBEDAAAAA=": user_public,
    }
    files = {}
    for name, private in (("gateway", gate_private), ("laptop-1", user_private)):
        text = (rendered / f"wireguard/{name}.conf").read_text().replace("@WIREGUARD_PRIVATE_KEY@", private)
        for mark, key in marks.items():
            text = text.replace(mark, key)
        files[name] = bed.folder / f"{name}.conf"
        files[name].write_text(text)
        files[name].chmod(0o600)

    for name in ("laptop", "gate"):
        bed.space(name)
    bed.link("laptop", "wan0", "203.0.113.77/24", "gate", "wan0", "203.0.113.2/24")
    for address in (LAN, VPC):
        bed.ip("gate", "addr", "add", f"{address}/32", "dev", "lo")
    # The control sockets of all namespaces share one folder, so the names must differ.
    number = os.getpid() % 100000
    up(bed, "gate", f"sbg{number}", files["gateway"])
    text = up(bed, "laptop", f"sbl{number}", files["laptop-1"])
    for route in setting(text, "AllowedIPs").split(", "):
        bed.ip("laptop", "route", "add", route, "dev", f"sbl{number}")

    bed.wait("the laptop reaches the lab", 15, lambda: ping(bed, "laptop", LAN))
    bed.say("the laptop reaches the lab")
    expect(ping(bed, "laptop", VPC), "the laptop does not reach the VPC")
    expect(ping(bed, "laptop", LAN, size=1392), "a packet as large as the interface allows does not pass")
    handshakes = run(["wg", "show", f"sbg{number}", "latest-handshakes"]).stdout.split()
    expect(handshakes[0] == user_public and int(handshakes[1]) > 0, f"no handshake with the laptop: {handshakes}")
    keepalive = run(["wg", "show", f"sbl{number}", "persistent-keepalive"]).stdout.split()[1]
    expect(keepalive == "25", f"the laptop keeps its mapping open every {keepalive}, expected 25 s")
    bed.say("lab and VPC answer, full packets pass, the keep-alive is set")
    bed.close()


main(bed_main)
