from collections.abc import Callable
from typing import Any

def repeat_for(
    seconds: float,
    call: Callable[..., object],
    arguments: tuple[Any, ...] = (),
    named: dict[str, Any] = {},
) -> tuple[int, int, int, int]: ...
def ask(pause_s: float, caller: int = -1, own: int = -1) -> tuple[int, int]: ...
def do_nothing() -> None: ...
