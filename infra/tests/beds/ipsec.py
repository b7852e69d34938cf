"""Two tunnels through NAT, from the rendered files.

lan 172.16.4.10 - gw (100.64.0.2) - isp, NAT 203.0.113.1 - far1 203.0.113.11 \
                                                         - far2 203.0.113.12 - vpc 10.20.0.10

Proves: the rendered ends agree on proposals, identities and selectors through NAT; both tunnels carry
traffic; when one dies the other carries on; the dead one comes back by itself.
"""

import argparse
import pathlib
import time

from bed import Bed, expect, main
from charon import Charon

KEYS = {"@PRESHARED_KEY_1@": "bed.key.of.tunnel.1", "@PRESHARED_KEY_2@": "bed.key.of.tunnel.2"}
LAN, VPC = "172.16.4.10", "10.20.0.10"


def keyed(path):
    text = path.read_text()
    for mark, key in KEYS.items():
        text = text.replace(mark, key)
    return text


def ping(bed, space, target, count=1, wait=1):
    return bed.inside(space, "ping", "-n", "-q", "-i", "0.2", "-c", str(count), "-W", str(wait), target, check=False).returncode == 0


def build(bed):
    for name in ("lan", "gw", "isp", "far1", "far2", "vpc"):
        bed.space(name)
    bed.link("lan", "eth0", f"{LAN}/24", "gw", "lan0", "172.16.4.1/24")
    bed.link("gw", "wan0", "100.64.0.2/24", "isp", "in0", "100.64.0.1/24")
    for number, far in ((1, "far1"), (2, "far2")):
        bed.link(far, "wan0", f"203.0.113.1{number}/24", "isp", f"far{number}", None)
        bed.link(far, "vpc0", f"10.20.0.{number}/24", "vpc", f"port{number}", None)
    bed.bridge("isp", "out0", ["far1", "far2"])
    bed.ip("isp", "addr", "add", "203.0.113.1/24", "dev", "out0")
    bed.bridge("vpc", "lan0", ["port1", "port2"])
    bed.ip("vpc", "addr", "add", f"{VPC}/24", "dev", "lan0")
    bed.ip("lan", "route", "add", "default", "via", "172.16.4.1")
    bed.ip("gw", "route", "add", "default", "via", "100.64.0.1")
    answer_through(bed, 1)
    for name in ("gw", "isp", "far1", "far2"):
        bed.inside(name, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
    bed.inside("isp", "nft", "add", "table", "ip", "nat")
    bed.inside("isp", "nft", "add", "chain", "ip", "nat", "post", "{ type nat hook postrouting priority srcnat; }")
    bed.inside("isp", "nft", "add", "rule", "ip", "nat", "post", "oifname", "out0", "masquerade")


def answer_through(bed, number):
    """AWS chooses the tunnel of its answers by itself; here the bed chooses."""
    bed.ip("vpc", "route", "replace", "172.16.0.0/18", "via", f"10.20.0.{number}")


def cut(bed, number):
    bed.inside("isp", "nft", "add", "table", "ip", "cut")
    bed.inside("isp", "nft", "add", "chain", "ip", "cut", "path", "{ type filter hook forward priority 0; }")
    for side in ("saddr", "daddr"):
        bed.inside("isp", "nft", "add", "rule", "ip", "cut", "path", "ip", side, f"203.0.113.1{number}", "drop")


def heal(bed):
    bed.inside("isp", "nft", "delete", "table", "ip", "cut")


def carried(before, after, tunnel, direction):
    return after.get(tunnel, (0, 0))[direction] - before.get(tunnel, (0, 0))[direction]


def bed_main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rendered", type=pathlib.Path, required=True)
    rendered = parser.parse_args().rendered
    strongswan = (rendered / "swanctl/strongswan.conf").read_text()
    far_end = keyed(rendered / "swanctl/far-end.conf")
    bed = Bed("ipsec", ["ping", "nft", "sysctl", "swanctl", "/usr/sbin/charon-systemd"])
    build(bed)
    Charon(bed, "far1", far_end, strongswan)
    Charon(bed, "far2", far_end, strongswan)
    gateway = Charon(bed, "gw", keyed(rendered / "swanctl/gateway.conf"), strongswan)
    both = {"bed-1", "bed-2"}

    bed.wait("both tunnels installed", 30, lambda: set(gateway.installed()) == both)
    bed.say("both tunnels are up")
    expect("behind NAT" in gateway.log(), "the gateway did not notice the NAT")

    before = gateway.installed()
    bed.wait("the lab reaches the VPC", 10, lambda: ping(bed, "lan", VPC, count=3))
    after = gateway.installed()
    # The kernel sends by the rendered priority; ESP in user space takes the association that came
    # first. Either way one tunnel sends, and it is the one to lose.
    sending = [number for number in (1, 2) if carried(before, after, f"bed-{number}", 1) > 0]
    expect(len(sending) == 1, f"tunnels that send: {sending}, one is expected")
    lost, spare = sending[0], 3 - sending[0]
    bed.say(f"the lab reaches the VPC, tunnel {lost} sends")

    for number in (1, 2):
        answer_through(bed, number)
        before = gateway.installed()
        expect(ping(bed, "vpc", LAN, count=3), f"the VPC does not reach the lab through tunnel {number}")
        expect(carried(before, gateway.installed(), f"bed-{number}", 0) > 0, f"tunnel {number} brought nothing in")
    bed.say("both tunnels carry what AWS sends through them")

    answer_through(bed, spare)
    cut(bed, lost)
    begin = time.monotonic()
    # Until the gateway notices, it sends into the cut tunnel: this is the outage a user sees.
    bed.wait(f"the lab reaches the VPC through tunnel {spare}", 90, lambda: ping(bed, "lan", VPC))
    outage = time.monotonic() - begin
    before = gateway.installed()
    expect(set(before) == {f"bed-{spare}"}, f"tunnel {lost} still counts as up: {before}")
    expect(ping(bed, "lan", VPC, count=3), f"tunnel {spare} does not carry on")
    expect(carried(before, gateway.installed(), f"bed-{spare}", 1) > 0, f"tunnel {spare} sent nothing")
    bed.say(f"tunnel {lost} is cut, tunnel {spare} carries on after {outage:.1f} s")

    heal(bed)
    back = bed.wait(f"tunnel {lost} comes back by itself", 90, lambda: set(gateway.installed()) == both)
    expect(ping(bed, "lan", VPC, count=3), "no traffic after the return")
    bed.say(f"tunnel {lost} is back {back:.1f} s after the heal")
    bed.close()


main(bed_main)
