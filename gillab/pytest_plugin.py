"""The pytest fixture ``gil``: asserts in a test suite what a call does with the GIL.

It comes with the package, and imports nothing else of it until a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gillab.gil_assertions import GilAssertions

_PROPERTY = "gillab"
"""A test's sentences travel with its reports, since pytest-xdist runs it in another process."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--gil-strict``."""
    parser.getgroup("gillab", "the GIL").addoption(
        "--gil-strict",
        action="store_true",
        help="fail, instead of skip, if this machine cannot tell what a call does with the GIL",
    )


@pytest.fixture
def gil(request: pytest.FixtureRequest) -> GilAssertions:
    """Offer assertions about what a call does with the GIL, measured here and now.

    ``gil.assert_releases(call, *args, at_least=0.9)``,
    ``gil.assert_holds_at_most("1ms", call, *args)``, ``gil.assert_waits_at_most("20ms", call)``,
    ``gil.assert_scales(call, *args, workers=2, at_least=1.5)`` and
    ``gil.assert_no_slower(new, *args, than=old, by=0.05)``.
    """
    from gillab.gil_assertions import GilAssertions

    strict: bool = request.config.getoption("--gil-strict")
    properties = request.node.user_properties

    def give_up(reason: str) -> None:
        __tracebackhide__ = True
        if strict:
            raise AssertionError(f"{reason} (--gil-strict)")
        pytest.skip(reason)

    def tell(sentence: str) -> None:
        properties.append((_PROPERTY, sentence))

    return GilAssertions(give_up, tell)


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """Say which assertions passed because there is no GIL."""
    told = {
        f"{report.nodeid}: {value}": None  # a test that is run again says the same again
        for reports in terminalreporter.stats.values()
        for report in reports
        # The last report of a test, which has all that was said; not only reports are counted.
        if isinstance(report, pytest.TestReport) and report.when == "teardown"
        for name, value in report.user_properties
        if name == _PROPERTY
    }
    if told:
        terminalreporter.section("gil", sep="-")
        for sentence in told:
            terminalreporter.write_line(sentence)
