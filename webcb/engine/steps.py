"""How long a new engine has been on its way, and with what: told once the voice of those who talk goes on, as they wait for that."""

from typing import Final

from webcb import clock

MS_OF_SECOND: Final = 1000


class Steps:
    """The steps of a start one after the other, the first from when the process began."""

    def __init__(self) -> None:
        self._since = "this process began"
        self._taken: list[tuple[str, float]] = []
        self._from = self._until = 0.0

    def done(self, step: str) -> None:
        """This is what was done since the step before."""
        age = clock.process_seconds()
        self._taken.append((step, age - self._until))
        self._until = age

    def its_turn(self) -> None:
        """It stood by until now: what it did before kept nobody waiting."""
        self._since = "its turn came"
        self._taken.clear()
        self._from = self._until = clock.process_seconds()

    def __str__(self) -> str:
        each = ", ".join(f"{step} {seconds * MS_OF_SECOND:.0f}" for step, seconds in self._taken)
        return f"{(self._until - self._from) * MS_OF_SECOND:.0f} ms after {self._since} ({each})"
