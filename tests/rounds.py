"""A round of a call's release as one is measured, for tests to change."""

from __future__ import annotations

from gillab.release.rounds import Round

ROUND = Round(
    held=0.9995,
    held_interval=(0.99, 1.0),
    others=0.0,
    hold_s=5e-3,
    stretch_s=4.8e-3,
    least_hold_s=4.8e-3,
    most_hold_s=5.2e-3,
    starved=False,
    brief_releases=0,
    clean=True,
    call_s=30e-3,
    calls=3,
    samples=1000,
    missed=0,
    duration_s=0.1,
    gil_enabled=True,
)
