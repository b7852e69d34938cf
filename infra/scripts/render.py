"""Joins rendered files with their keys: render.py FILES.json KEYS.json WIREGUARD_KEY|- TARGET."""

import json
import os
import pathlib
import re
import sys

# What AWS accepts as a pre-shared key.
KEY = re.compile(r"^[A-Za-z1-9._][A-Za-z0-9._]{7,63}$")


def refuse(sentence):
    print(f"render: {sentence}", file=sys.stderr)
    sys.exit(1)


def tunnel_key(keys, number):
    """The secret's fields are named after the tunnels; any name that holds the number is taken."""
    found = [value for name, value in keys.items() if re.sub(r"\D", "", name) == str(number) and isinstance(value, str)]
    if len(found) != 1:
        refuse(
            f"there is no pre-shared key of tunnel {number}. Give TUNNEL_KEYS a file with "
            '{"1": "...", "2": "..."}, or check that your AWS login may read the tunnels\' secret.'
        )
    if not KEY.match(found[0]):
        refuse(f"the pre-shared key of tunnel {number} is none: 8 to 64 of A-Z a-z 0-9 . _ and not starting with 0.")
    return found[0]


def main():
    files_path, keys_path, wireguard_path, target = sys.argv[1:]
    files = json.loads(pathlib.Path(files_path).read_text())
    keys = json.loads(pathlib.Path(keys_path).read_text())
    joined = {f"@PRESHARED_KEY_{number}@": tunnel_key(keys, number) for number in (1, 2)}
    if wireguard_path != "-":
        # Only the gateway's: a user's own key stays on the user's machine.
        gateway = files["wireguard/gateway.conf"]
        key = pathlib.Path(wireguard_path).read_text().strip()
        files["wireguard/gateway.conf"] = gateway.replace("@WIREGUARD_PRIVATE_KEY@", key)
    for name, text in files.items():
        for mark, key in joined.items():
            text = text.replace(mark, key)
        path = pathlib.Path(target) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as output:
            output.write(text)
    print(f"{len(files)} files in {target}")


main()
