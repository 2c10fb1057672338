from collections.abc import Callable
from typing import Any

def repeat_for(
    seconds: float,
    call: Callable[..., object],
    arguments: tuple[Any, ...] = (),
    named: dict[str, Any] = {},
) -> tuple[int, int, int, int]: ...
def do_nothing() -> None: ...
