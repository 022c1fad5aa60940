"""Two installations that bear the name of one node, on one database: the second waits, and who was not heard writes nothing more."""

import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.engine.test_runner import PATIENCE_SECONDS, Site, site, wait_until  # noqa: F401  a fixture
from tests.ports import free_port
from webcb import db, models
from webcb.billing import books
from webcb.engine import lease, succession

# How long the rows of who was frozen in a transaction may be held: PostgreSQL ends that (webcb/pool.py).
HELD_SECONDS_MAX = {"sqlite": 0, "postgresql": 20}
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_a_node_is_taken_from_nobody_who_gives_signs_of_life(database: str) -> None:
    first = lease.take("one", "here", NOON)
    assert isinstance(first, lease.Node)
    lease.hold(first)
    rival = lease.take("one", "there", NOON)
    assert rival == lease.Rival("here", 0)
    models.Node.update(heard_at=NOON).execute()
    assert lease.take("one", "there", NOON, rival) == lease.Rival(
        "here", 1_795_694_400_000_000
    )  # it has been heard since
    lease.hold(first)


def test_who_was_silent_too_long_is_fenced_out(database: str) -> None:
    first = lease.take("one", "here", NOON)
    rival = lease.take("one", "there", NOON)
    assert isinstance(first, lease.Node)
    assert isinstance(rival, lease.Rival)
    second = lease.take("one", "there", NOON, rival)
    assert isinstance(second, lease.Node)
    assert (second.id, second.term) == (first.id, first.term + 1)
    with pytest.raises(lease.Fenced):
        lease.hold(first)


def test_an_engine_of_the_same_installation_has_the_node_at_once(database: str) -> None:
    first, again = lease.take("one", "here", NOON), lease.take("one", "here", NOON)
    assert isinstance(again, lease.Node)
    assert isinstance(first, lease.Node)
    with pytest.raises(lease.Fenced):
        lease.hold(first)


def test_an_installation_is_known_by_its_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert (
        succession.identity(tmp_path / "a")
        == succession.identity(tmp_path / "a")
        != succession.identity(tmp_path / "b")
    )


def test_an_engine_that_was_frozen_finds_its_node_taken_and_writes_nothing(site: Site, tmp_path: Path) -> None:  # noqa: F811
    first = site.start()
    callback_id = site.place("one")
    wait_until(lambda: site.state(callback_id) == "talking")
    other = tmp_path / "other"
    other.mkdir()
    second = site.start_on(other, WEBCB_SIP_BINDS=f"127.0.0.1:{free_port()}")
    time.sleep(3)
    assert site.state(callback_id) == "talking"
    assert second.poll() is None
    assert not (other / "engine.sock").exists()  # it waits
    # One that is frozen within a transaction keeps the file of SQLite for itself: nobody could go on. It is frozen between two.
    with db.writing():
        first.send_signal(signal.SIGSTOP)
    wait_until(lambda: site.state(callback_id) == "ended", PATIENCE_SECONDS + HELD_SECONDS_MAX[db.dialect()])
    assert models.Callback.get_by_id(callback_id).ending == "engine stopped"
    site.phone.wait("BYE", 2)
    said = site.phone.methods.count("BYE")
    first.send_signal(signal.SIGCONT)
    assert first.wait(20) == 1
    assert site.phone.methods.count("BYE") == said
    assert models.Xdr.select().count() == 2
    assert books.differences() == []
