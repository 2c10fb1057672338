"""A user's script: it type-checks strictly against the installed package, and it runs."""

from array import array
from typing import TYPE_CHECKING, assert_type

from gillab.kernels import (
    KERNELS,
    countdown_array,
    countdown_held,
    countdown_mixed,
    countdown_nogil,
    countdown_python,
)

assert_type(countdown_python(10), int)
assert_type(countdown_held(10), int)
assert_type(countdown_nogil(10), int)
assert_type(countdown_mixed(10, released=0.25, chunk=5), int)
assert_type(countdown_array(array("q", [1, 2, 3])), int)

for name, kernel in KERNELS.items():
    assert_type(name, str)
    assert_type(kernel(10), int)

if TYPE_CHECKING:  # not run: this is the mistake that a type checker should find
    countdown_nogil("10")  # type: ignore[arg-type]
