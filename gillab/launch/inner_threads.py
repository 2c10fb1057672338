"""Limits the number of threads that libraries start themselves (BLAS, OpenMP)."""

from __future__ import annotations

_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
)
"""What the libraries read when they are loaded, before anyone can ask them for less."""


def limit_by_environment(most: int | None) -> dict[str, str]:
    """Return the variables that limit libraries to so many threads; none for None."""
    return {} if most is None else dict.fromkeys(_VARIABLES, str(most))
