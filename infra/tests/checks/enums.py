"""The table of words against the API models that botocore carries; the plans are judged in Rust.

Each entry names where its words come from: `service/Shape` is an enumeration, `service/Shape.Member`
the list of valid values in that member's documentation. `--update` writes what the models say.
"""

import argparse
import json
import pathlib
import re
import sys

import botocore.loaders


def words_of(source, models):
    service, name = source.split("/")
    if service not in models:
        models[service] = botocore.loaders.Loader().load_service_model(service, "service-2")["shapes"]
    shapes = models[service]
    if "." not in name:
        return sorted(shapes[name]["enum"])
    shape, member = name.split(".")
    text = shapes[shape]["members"][member]["documentation"]
    found = re.search(r"(?:Valid|valid|Possible|possible)[ -][Vv]alues?:?\s*(?:are)?:?\s*(.*?)(?:</p>|$)", text, re.S)
    if not found:
        raise SystemExit(f"error: {source} documents no values: {text}")
    words = re.findall(r"<code>([^<]+)</code>", found.group(1))
    return sorted({part.strip() for word in words for part in word.split("|")})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=pathlib.Path, required=True)
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    table = json.loads(arguments.table.read_text())
    models, count, faults = {}, 0, []
    for kind, entries in table.items():
        for path, entry in entries.items():
            words = words_of(entry["model"], models)
            count += 1
            if arguments.update:
                entry["values"] = words
            elif words != entry["values"]:
                faults.append(f"{kind}.{path}: the model says {words}, the table {entry['values']}")
    if arguments.update:
        arguments.table.write_text(json.dumps(table, indent=2) + "\n")
    if faults:
        print("error: " + "\n  ".join(faults), file=sys.stderr)
        sys.exit(1)
    print(f"enums: {count} lists of words agree with the API models of botocore {botocore.__version__}")


main()
