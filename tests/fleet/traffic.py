"""Callers by chance: they ask the pages for callbacks, whatever happens meanwhile."""

import random
import threading
from typing import Final

from tests.fleet.configuration import ACCOUNTS, LIMITED, THRIFTY
from tests.fleet.ground import Ground
from tests.waiting import wait_until
from webcb.billing import query

LIMITED_SHARE, THRIFTY_SHARE, FIRST_SHARE = 0.2, 0.15, 0.4  # of all: by the limited connection, by these two accounts
BURST: Final = 8
WAIT_SECONDS_MAX: Final = 600


class Traffic(threading.Thread):
    """`count` requests, `per_second` on the average; each A and each B has a number of its own, or one of `numbers`.

    The first BURST come at once, all for the limited connection.
    """

    def __init__(
        self, ground: Ground, chance: random.Random, count: int, per_second: float, numbers: int | None = None
    ) -> None:
        super().__init__(daemon=True)
        self._ground, self._chance = ground, chance
        self._count, self._per_second, self._numbers = count, per_second, numbers
        self._is_over = threading.Event()
        self.asked = 0
        self.placed: list[str] = []

    def run(self) -> None:
        while self.asked < self._count and not self._is_over.is_set():
            index = self.asked % (self._numbers or self._count)
            is_in_burst = self.asked < BURST
            connection = LIMITED if is_in_burst or self._chance.random() < LIMITED_SHARE else "B"
            account = f"account{index % ACCOUNTS}" if is_in_burst else self._account()
            callback_id = self._ground.place(account, index, index, connection)
            if callback_id is not None:
                self.placed.append(callback_id)
            self.asked += 1
            if not is_in_burst:
                self._is_over.wait(self._chance.expovariate(self._per_second))

    def _account(self) -> str:
        drawn = self._chance.random()
        if drawn < THRIFTY_SHARE:
            return THRIFTY
        return "account0" if drawn < THRIFTY_SHARE + FIRST_SHARE else f"account{self._chance.randrange(ACCOUNTS)}"

    def wait_for(self, asked: int) -> None:
        """Return when so many have been asked for."""
        wait_until(lambda: self.asked >= asked or not self.is_alive(), f"{asked} are asked for", WAIT_SECONDS_MAX)
        assert self.asked >= asked, "the callers have stopped"

    def stop(self) -> None:
        """Ask for no more."""
        self._is_over.set()
        self.join()


def wait_until_over(seconds: float = 60.0) -> None:
    """Return when no callback is open."""
    wait_until(
        lambda: not query.rows("SELECT id, state FROM callback WHERE state <> 'ended' LIMIT 1"),
        "all have ended",
        seconds,
    )
