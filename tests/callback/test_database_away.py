"""The database is cut off while two talk: they go on, the bill is right to the second, and stays so when the engine is killed too."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests import databases
from tests.callback.configuration import charge_a, charge_b
from tests.callback.cut import Cable, cable
from tests.callback.installation import Installation
from tests.callback.outcome import NORMAL, Billed, assert_ended
from tests.ports import free_ports
from tests.waiting import wait_until

BILLED = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}


@pytest.fixture
def way(tmp_path: Path, postgresql_url: str) -> Iterator[Cable]:
    with databases.database_of(postgresql_url) as url, cable(url, tmp_path / "cable") as made:
        yield made


@pytest.fixture
def webcb(tmp_path: Path, way: Cable, postgresql_url: str) -> Iterator[Installation]:
    """The engine's way to the database can be cut; the test has its own."""
    (direct,) = parse_qs(postgresql_url.partition("?")[2])["host"]
    own = way.url.replace(str(tmp_path / "cable"), direct)
    with free_ports() as ports:
        made = Installation.make(tmp_path, ports, own)
        made.environment["WEBCB_DATABASE_URL"] = way.url  # type: ignore[index]
        try:
            made.start_engine()
            yield made
        finally:
            made.close()


def test_a_call_that_ends_while_it_is_away_is_billed_to_the_second(webcb: Installation, way: Cable) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "hangs_up", ring_ms=200, talk_ms=4000)
    callback = webcb.place()
    webcb.wait_for_state(callback, "talking", 15)
    way.cut()
    webcb.wait_for_message("A", "BYE")
    wait_until(lambda: "kept on file" in webcb.log(), "the settlement is on file", 10)
    webcb.kill_engine()
    way.mend()
    webcb.start_engine()
    assert_ended(webcb, callback, "B hung up", BILLED)
    assert not list((webcb.folder / "state").glob("settlements.*"))
    assert "settled from the file" in webcb.log()
