from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gillab.estimates import Estimate, Spread
from gillab.report.figures import (
    format_clock,
    format_duration,
    format_interval,
    format_speedup,
    format_spread,
    label_workloads,
    shorten,
)
from gillab.text import printable

SECONDS_IN = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (1.5e-9, "1.50 ns"),
        (123e-6, "123 µs"),
        (999.6e-6, "1.00 ms"),
        (0.0201, "20.1 ms"),
        (0.9996, "1.00 s"),
        (12.34, "12.3 s"),
        (4321.0, "4321 s"),
    ],
)
def test_a_time_has_three_digits_and_the_unit_that_fits(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(1e-9, 1e5))
def test_a_time_read_back_is_that_time_rounded(seconds: float) -> None:
    figure, unit = format_duration(seconds).split(" ")
    assert float(figure) * SECONDS_IN[unit] == pytest.approx(seconds, rel=0.0051)
    assert unit == "s" or 1 <= float(figure) <= 1000


@given(st.floats(1e-9, 1e3), st.floats(0, 1e3))
def test_a_median_and_its_deviation_share_a_unit(median: float, mad: float) -> None:
    text = format_spread(Spread(median, mad, median))
    match = re.fullmatch(r"([\d.]+) ± ([\d.]+) (\w+)", text)
    assert match is not None
    assert f"{match[1]} {match[3]}" == format_duration(median)
    assert float(match[2]) * SECONDS_IN[match[3]] == pytest.approx(mad, abs=0.0051 * median)


@given(st.floats(0.01, 1e4))
def test_a_ratio_read_back_is_that_ratio_rounded(value: float) -> None:
    text = format_interval(Estimate(value, value, value))
    figures = [float(figure) for figure in re.findall(r"[\d.]+", text)]
    assert figures == [pytest.approx(value, rel=0.051, abs=0.0051)] * 3


def test_a_ratio_without_an_interval_stands_alone() -> None:
    assert format_speedup(Estimate(1.926, None, None)) == "1.93x"
    assert format_speedup(Estimate(1.926, 1.894, 1.955)) == "1.93x [1.89, 1.96]"
    assert format_interval(Estimate(12.34, 12.1, 12.5)) == "12.3 [12.1, 12.5]"
    assert format_interval(Estimate(0.0042, None, None)) == "0.0042"


def test_the_time_left_reads_like_a_clock() -> None:
    assert [format_clock(s) for s in (-1, 23.4, 83, 3723)] == ["0:00", "0:23", "1:23", "1:02:03"]


@given(st.text())
def test_what_is_printed_holds_no_control_codes(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(text, keep="\n").replace("\n", "").isprintable()


@given(st.text(), st.integers(8, 60))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    assert len(shorten(text, width)) <= width


def test_statements_whose_short_forms_collide_keep_their_whole_text() -> None:
    middle = "x" * 80
    one, two = f"begin {middle}1{middle} end", f"begin {middle}2{middle} end"
    assert label_workloads([one, two]) == {one: one, two: two}
    assert len(label_workloads([one, "nogil"])[one]) == 40
