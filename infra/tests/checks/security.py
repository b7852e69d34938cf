"""checkov on the plans. Whatever it finds must stand in the reviewed list with a reason, and whatever
stands there must still be found."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=pathlib.Path, required=True)
    parser.add_argument("--skips", type=pathlib.Path, required=True)
    words = parser.parse_args()
    skips = json.loads(words.skips.read_text())
    plans = sorted(words.plans.glob("*.json"))
    if not plans:
        sys.exit("error: no plans")
    with tempfile.TemporaryDirectory() as folder:
        for plan in plans:
            (pathlib.Path(folder) / plan.name).write_text(plan.read_text())
        done = subprocess.run(
            [str(pathlib.Path(sys.executable).parent / "checkov"), "--framework", "terraform_plan", "--skip-download",
             "--quiet", "--compact", "--output", "json", "--directory", folder],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
        )
    reports = json.loads(done.stdout)
    reports = reports if isinstance(reports, list) else [reports]
    passed = sum(report["summary"]["passed"] for report in reports)
    found = {}
    for report in reports:
        if report["summary"]["parsing_errors"]:
            sys.exit(f"error: checkov cannot read {report['summary']['parsing_errors']} plans")
        for check in report["results"]["failed_checks"]:
            found.setdefault(check["check_id"], []).append((check["resource"], check["check_name"]))
    if passed == 0:
        sys.exit(f"error: checkov judged nothing: {done.stderr[-500:]}")
    faults = [
        f"{name} {places[0][1]}: {', '.join(sorted({place for place, _ in places}))}"
        for name, places in sorted(found.items()) if name not in skips
    ]
    stale = sorted(set(skips) - set(found))
    if faults:
        sys.exit("error: checkov finds what is not reviewed:\n  " + "\n  ".join(faults))
    if stale:
        sys.exit(f"error: the reviewed list names what is no longer found, take it out: {', '.join(stale)}")
    print(f"checkov: {passed} checks pass, {len(found)} kinds of finding are reviewed and accepted with a reason")


main()
