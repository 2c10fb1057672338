"""Fail where a test was skipped on every Python: what it claims may long be false.

Usage: every_test_ran.py REPORTS [MISSING...]

REPORTS is a folder of pytest's JUnit XML files, one a Python. MISSING names what could not be set
up ("Python 3.14", "free-threaded"): where a reason to skip names it, the test is excused.
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


def main(folder: str, *missing: str) -> int:
    """Print the tests that never ran; return the exit code."""
    ran: set[str] = set()
    skipped: dict[str, str] = {}
    for report in sorted(Path(folder).glob("*.xml")):
        reasons = read_report(report)
        count = Counter(reason is None for reason in reasons.values())
        print(f"{report.stem}: {count[True]} tests ran, {count[False]} were skipped")
        for test, reason in reasons.items():
            if reason is None:
                ran |= {test, test.partition("::")[0]}
            else:
                skipped[test] = reason
    never = {test: reason for test, reason in sorted(skipped.items()) if test not in ran}
    unexcused = 0
    for test, reason in never.items():
        excused = any(name in reason for name in missing)
        unexcused += not excused
        print(f"{'not run here' if excused else 'SKIPPED EVERYWHERE'}: {test}: {reason}")
    return bool(unexcused) or not ran


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
