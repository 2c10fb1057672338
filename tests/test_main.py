"""``python -m gillab``: the list of what there is, and the way to it."""

from __future__ import annotations

from importlib import import_module

import pytest

from gillab.__main__ import EXPERIMENTS, main
from gillab.kernels import KERNELS
from gillab.strategies import DEFAULT


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_list_names_everything_within_80_columns(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    for name in (*EXPERIMENTS, *KERNELS, *DEFAULT):
        assert name in printed
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs_by_its_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(import_module(f"gillab.{name}").main)
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert f"gillab.{name}" in capsys.readouterr().out


def test_an_unknown_experiment_offers_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compar"]) == 2
    assert capsys.readouterr().err == (
        "gillab: there is no experiment 'compar'; did you mean compare?\n"
    )
