"""The golden files, read back by the programs that will read them."""

import argparse
import os
import pathlib
import re
import tempfile
import xml.etree.ElementTree as tree

from bed import Bed, expect, main, run
from charon import Charon


def firewall(rendered):
    path = rendered / "pfsense/ipsec.xml"
    run(["xmllint", "--noout", path])
    root = tree.parse(path).getroot()
    first = [phase.findtext("ikeid") for phase in root.findall("phase1")]
    second = [phase.findtext("ikeid") for phase in root.findall("phase2")]
    expect(first == ["1", "2"] and second == first, f"one phase 2 per tunnel expected, found {first} and {second}")
    expect(all(phase.findtext("mode") == "vti" for phase in root.findall("phase2")), "a phase 2 is not route-based")
    print("  firewall: well-formed, one phase 2 per tunnel")


def tunnels(rendered):
    bed = Bed("readback", ["swanctl", "/usr/sbin/charon-systemd"])
    strongswan = (rendered / "swanctl/strongswan.conf").read_text()
    for name in ("gateway", "far-end"):
        space = f"read-{name}"
        bed.space(space)
        text = re.sub(r"@PRESHARED_KEY_(\d)@", r"readback.\1", (rendered / f"swanctl/{name}.conf").read_text())
        found = Charon(bed, space, text, strongswan).connections()
        expect(found == ["skybridge-1", "skybridge-2"], f"{name}.conf gives the connections {found}")
    bed.close()
    print("  swanctl: both ends load two connections")


def wireguard(rendered):
    bed = Bed("readback", ["wg", "wg-quick", "wireguard-go"])
    bed.space("wg")
    key = run(["wg", "genkey"]).stdout.strip()
    for index, path in enumerate(sorted((rendered / "wireguard").glob("*.conf"))):
        device = f"sbr{os.getpid() % 100000}{index}"
        filled = bed.folder / path.name
        filled.write_text(path.read_text().replace("@WIREGUARD_PRIVATE_KEY@", key))
        filled.chmod(0o600)
        stripped = bed.folder / f"{path.name}.stripped"
        stripped.write_text(run(["wg-quick", "strip", filled]).stdout)
        bed.start(["wireguard-go", "-f", device], bed.folder / "wg.log", space="wg")
        bed.wait(f"{device} exists", 10, lambda: run(["wg", "show", device], check=False).returncode == 0)
        run(["wg", "setconf", device, stripped])
        peers = run(["wg", "show", device, "allowed-ips"]).stdout
        expect("172.16.60." in peers, f"{path.name} gives the peers {peers!r}")
    bed.close()
    print("  wg: every file is accepted")


def user_data(rendered, cloud_init):
    import yaml
    environment = {**os.environ, "PYTHONPATH": f"{cloud_init}/usr/lib/python3/dist-packages"}
    units = {}
    for path in sorted((rendered / "user-data").glob("*.yaml")):
        answer = run(
            ["/usr/bin/python3", "-m", "cloudinit.cmd.main", "schema", "--config-file", path], env=environment,
        ).stdout
        expect(f"Valid cloud-config: {path}" in answer, f"cloud-init says of {path.name}: {answer}")
        for file in yaml.safe_load(path.read_text())["write_files"]:
            if file["path"].startswith("/etc/systemd/system/"):
                units[f"{path.stem}-{pathlib.Path(file['path']).name}"] = file["content"]
    print("  cloud-init: every document is valid")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in units.items():
            # The programs are installed on the node and not here; the rest of the line stays.
            content = re.sub(r"^(Exec\w+=)/\S+", r"\1/bin/true", content, flags=re.M)
            content = re.sub(r"^RequiresMountsFor=.*\n", "", content, flags=re.M)
            path = pathlib.Path(folder) / name
            path.write_text(content)
            answer = run(["systemd-analyze", "verify", "--man=no", path]).stdout
            own = [line for line in answer.splitlines() if name in line]
            expect(not own, f"systemd-analyze says of {name}: {own}")
    print(f"  systemd-analyze: {len(units)} units verified")


def bed_main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rendered", type=pathlib.Path, required=True)
    parser.add_argument("--cloud-init", type=pathlib.Path, required=True)
    words = parser.parse_args()
    firewall(words.rendered)
    tunnels(words.rendered)
    wireguard(words.rendered)
    user_data(words.rendered, words.cloud_init)
    print("readback: ok")


main(bed_main)
