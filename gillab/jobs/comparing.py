"""Whether a strategy's results are those of the loop."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any


def find_difference(expected: Sequence[Any], results: Sequence[Any]) -> str | None:
    """Return where results are not those of the loop, as a clause; None where all are.

    Results are equal where they say so, and else where they pickle alike: an array does not say so
    in a word, and no NaN is equal to itself. Of what cannot be pickled, a lock say, nobody knows.
    """
    if len(expected) != len(results):
        return f"it has {len(results)} results, the loop {len(expected)}"
    unlike = [
        place
        for place, (ours, theirs) in enumerate(zip(expected, results, strict=True))
        if not _are_equal(ours, theirs)
    ]
    if not unlike:
        return None
    many = f"{len(unlike)} results are" if len(unlike) > 1 else "a result is"
    return f"{many} not the loop's, the first at item {unlike[0]}"


def _are_equal(ours: Any, theirs: Any) -> bool:
    try:
        if (ours == theirs) is True:
            return True
        return pickle.dumps(ours) == pickle.dumps(theirs)
    except Exception:
        return True
