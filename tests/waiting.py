"""Waiting for a real process with a limit, and whether one is alive."""

import time
from collections.abc import Callable
from pathlib import Path

LOOK_SECONDS = 0.02


def wait_until(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Return as soon as the condition holds; AssertionError with `what` was waited for when it does not in time."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, f"not within {seconds:g} s: {what}"
        time.sleep(LOOK_SECONDS)


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def descendants(pid: int) -> list[int]:
    """The process numbers of all children of a process, and theirs."""
    try:
        children = [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return children + [each for child in children for each in descendants(child)]
