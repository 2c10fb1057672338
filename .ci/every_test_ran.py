"""Fail where a test was skipped on every Python: what it claims may long be false.

Usage: every_test_ran.py [--list] REPORTS [MISSING...]

REPORTS is a folder of pytest's JUnit XML files, one a Python. MISSING names what could not be set
up ("Python 3.14", "free-threaded"): where a reason to skip names it, the test is excused. With
--list only the tests are printed, as pytest takes them, and the exit code is 0.
"""

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree


def read_report(report: Path) -> dict[str, str | None]:
    """Return the tests of a report, each with the reason it was skipped, or None where it ran."""
    reasons: dict[str, str | None] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        skip = case.find("skipped")
        # A module skipped as a whole has no class name, and its own name in place of a test's.
        test = f"{case.get('classname')}::{case.get('name')}".removeprefix("::")
        # An expected failure is reported as a skip, but it ran.
        if skip is None or skip.get("type") == "pytest.xfail":
            reasons[test] = None
        else:
            reasons[test] = skip.get("message", "")
    return reasons


def find_never_run(folder: str, *, quiet: bool = False) -> dict[str, str]:
    """Return the tests that ran in no report, each with a reason."""
    ran: set[str] = set()
    skipped: dict[str, str] = {}
    for report in sorted(Path(folder).glob("*.xml")):
        reasons = read_report(report)
        count = Counter(reason is None for reason in reasons.values())
        if not quiet:
            print(f"{report.stem}: {count[True]} tests ran, {count[False]} were skipped")
        for test, reason in reasons.items():
            if reason is None:
                ran |= {test, test.partition("::")[0]}
            else:
                skipped[test] = reason
    if not ran:
        sys.exit("No test ran at all.")
    return {test: reason for test, reason in sorted(skipped.items()) if test not in ran}


def main(folder: str, *missing: str) -> int:
    """Print the tests that never ran; return the exit code."""
    unexcused = 0
    for test, reason in find_never_run(folder).items():
        excused = any(name in reason for name in missing)
        unexcused += not excused
        print(f"{'not run here' if excused else 'SKIPPED EVERYWHERE'}: {test}: {reason}")
    return bool(unexcused)


def list_never_run(folder: str, *missing: str) -> int:
    """Print the tests that never ran and are not excused, as pytest takes them."""
    for test, reason in find_never_run(folder, quiet=True).items():
        if not any(name in reason for name in missing):
            module, _, name = test.partition("::")
            print(f"{module.replace('.', '/')}.py::{name}")
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--list":
        sys.exit(list_never_run(*sys.argv[2:]))
    sys.exit(main(*sys.argv[1:]))
