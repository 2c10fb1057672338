from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

BARRIER: str
COMPILER: str

def countdown_held(n: SupportsIndex, /) -> int: ...
def countdown_nogil(n: SupportsIndex, /) -> int: ...
def countdown_mixed(
    n: SupportsIndex, released: float = 0.5, chunk: SupportsIndex = 1_000_000
) -> int: ...
def countdown_array(counts: Buffer | NDArray[np.int64], /) -> int: ...
