"""The registry of export forms."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest
from report_fixtures import ENVIRONMENT, full_result

from gillab.command.exports import add_export_options
from gillab.release.findings import Finding, Findings
from gillab.report.forms import ARMS, FORMS, Form, PlotForm
from gillab.results import Result


def make_result_of(command: str) -> Result | Findings:
    if command not in ("check", "census"):
        return replace(full_result(), command=command)
    cell = Finding("pass", "3.13.0", "ok", verdict="too_short")
    return Findings(command, False, {}, ENVIRONMENT, [cell])


@pytest.mark.parametrize(
    ("command", "form"),
    [
        pytest.param(command, form, id=f"{command} {form.name}")
        for form in FORMS
        if not isinstance(form, PlotForm)
        for command in ("compare", "job", "check", "census", "a further experiment")
    ],
)
def test_every_form_renders_what_it_says_it_can(command: str, form: Form) -> None:
    if form.name == "html":
        pytest.importorskip("jinja2", reason="needs jinja2")
        pytest.importorskip("matplotlib", reason="needs matplotlib")
    result = make_result_of(command)
    text = form.render(result, Path("r.txt"))
    assert isinstance(text, str)
    assert text.endswith("\n")
    assert result.cells[0].workload in text


def test_a_form_that_a_command_lacks_is_no_option_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Form("leaflet", "a page", {ARMS: lambda result: "<p>"})
    monkeypatch.setattr("gillab.command.exports.FORMS", (*FORMS, page))
    offered = {}
    for command in ("compare", "census"):
        parser = argparse.ArgumentParser()
        add_export_options(parser, command)
        offered[command] = "--export-leaflet" in parser.format_help()
        assert "--export-json" in parser.format_help()
    assert offered == {"compare": True, "census": False}
