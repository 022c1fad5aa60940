"""Three engines on one PostgreSQL share requests and a carrier's capacity; one is killed, one cut off, the third goes on."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests import databases
from tests.callback.conftest import free_ports
from tests.callback.cut import Cable, cable
from tests.callback.installation import COMMAND, Installation
from tests.waiting import wait_until
from webcb import clock
from webcb.billing import books, query
from webcb.models import Account, Callback, Connection, Leg, VoiceApplication, Wallet, Xdr

ROOM = 4  # callbacks at once in an engine, by its RTP ports
CAPACITY = 10
NODES = ("one", "two", "three")


class Engine:
    """An engine of its own node, with its own way to the database."""

    def __init__(self, webcb: Installation, number: int, way: Cable) -> None:
        self.name = NODES[number]
        self.way = way
        folder = webcb.folder / self.name
        ports = webcb.ports[100 + 20 * number : 100 + 20 * number + 4 * ROOM]
        own = {
            "WEBCB_DATA_DIR": str(folder),
            "WEBCB_NODE_NAME": self.name,
            "WEBCB_DATABASE_URL": way.url,
            "WEBCB_SIP_BINDS": f"127.0.0.1:{webcb.ports[number]}",
            "WEBCB_RTP_PORT_MIN": str(ports[0]),
            "WEBCB_RTP_PORT_MAX": str(ports[-1]),
        }
        folder.mkdir()
        self.log = folder / "engine.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "engine"], env={**webcb.environment, **own}, cwd=folder, stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(lambda: b"is up: SIP" in self.log.read_bytes(), f"engine {self.name} is up", 40)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def webcb(tmp_path: Path, postgresql_url: str) -> Iterator[Installation]:
    with databases.database_of(postgresql_url) as url, free_ports() as ports:
        made = Installation.make(tmp_path, ports, url)
        VoiceApplication.update(concurrent_per_account=100, concurrent_per_a=None, concurrent_per_source=None).execute()
        VoiceApplication.update(
            asks_per_minute_account=None, asks_per_minute_a=None, asks_per_minute_block=None
        ).execute()
        Wallet.update(credit_limit_micros=10**9).where(Wallet.id == Account.get().wallet_id).execute()
        yield made
        made.close()


@pytest.fixture
def engines(webcb: Installation, tmp_path: Path) -> Iterator[dict[str, Engine]]:
    with ExitStack() as opened:
        url = webcb.environment["WEBCB_DATABASE_URL"]
        made = {}
        for number, name in enumerate(NODES):
            made[name] = Engine(webcb, number, opened.enter_context(cable(url, tmp_path / f"cable-{number}")))
            opened.callback(made[name].kill)
        yield made
        shares = query.tuples("SELECT node_id, connection_id, legs, wanted FROM connection_share")
        print(states(), shares, query.tuples("SELECT callback_id, name, state, queue_position FROM leg"))
        for engine in made.values():
            print(f"--- {engine.name}\n{engine.log.read_text()}")


def states() -> Counter[str]:
    return Counter(row["state"] for row in query.rows("SELECT state FROM callback"))


def on_node(name: str) -> list[str]:
    sql = "SELECT callback.id FROM callback JOIN node ON node.id = node_id WHERE node.name = ? AND state = 'talking'"
    return [row["id"] for row in query.rows(sql, name)]


def are_hung_up(webcb: Installation, carrier: str, legs: int) -> bool:
    """Whether so many legs at a carrier were sent a BYE. (sipp tells its 200 to who sent the INVITE, and not to who asks.)"""
    byes = [each.text for each in webcb.messages(carrier) if each.name == "BYE"]
    return len({re.search(r"^Call-ID: *(.*)$", text, re.MULTILINE)[1] for text in byes}) >= legs  # type: ignore[index]


def test_one_is_killed_and_one_cut_off(webcb: Installation, engines: dict[str, Engine]) -> None:
    webcb.phone("A", "answers", calls=40)
    webcb.phone("B", "answers", calls=40)
    Connection.update(capacity=CAPACITY).where(Connection.name == "Carrier A").execute()
    placed = [webcb.place(f"k{number}") for number in range(CAPACITY)]
    wait_until(lambda: states()["talking"] == CAPACITY, f"{CAPACITY} talk", 30)
    assert sorted(len(on_node(name)) for name in NODES) == [2, 4, 4]  # each as many as it has room for
    # There is room in an engine, but none on the connection, wherever its calls are.
    beyond = webcb.place("beyond")
    waits = Leg.select().where(Leg.callback == beyond, Leg.queue_position == 1)
    wait_until(waits.exists, "it waits for a line", 20)
    assert query.rows("SELECT SUM(legs) AS legs FROM connection_share")[0]["legs"] <= CAPACITY

    stays, killed, cut = sorted(NODES, key=lambda name: len(on_node(name)))
    theirs, ours = on_node(killed) + on_node(cut), on_node(stays)
    engines[killed].kill()
    engines[cut].way.cut()
    # Who stays answers at once, on lines that are free.
    Connection.update(capacity=CAPACITY + 2).where(Connection.name == "Carrier A").execute()
    began = clock.monotonic()
    after = webcb.place("after")
    wait_until(lambda: Callback.get_by_id(after).state == "talking", "who stays answers", 10)
    assert clock.monotonic() - began < 4  # a look, and two phones that ring
    wait_until(
        lambda: all(Callback.get_by_id(each).state == "ended" for each in theirs), "the dead nodes' calls are ended", 60
    )
    assert {Callback.get_by_id(each).ending for each in theirs} == {"engine stopped"}
    for carrier in ("A", "B"):  # by who stays: nobody else could
        wait_until(partial(are_hung_up, webcb, carrier, len(theirs)), f"all are hung up at {carrier}", 5)
    assert {Callback.get_by_id(each).state for each in [*ours, beyond, after]} == {"talking"}

    engines[cut].way.mend()
    wait_until(lambda: "taken" in engines[cut].log.read_text(), "who was cut off finds out", 30)
    last = [webcb.place(f"last{number}") for number in range(3)]
    wait_until(lambda: all(Callback.get_by_id(each).state == "talking" for each in last), "both go on", 30)
    for each in [*ours, beyond, after, *last]:
        webcb.release(each)
    wait_until(lambda: states()["ended"] == len(placed) + 5, "all have ended", 20)
    assert Xdr.select().count() == 2 * (len(placed) + 5)  # each leg once, whoever settled it
    assert query.rows("SELECT COUNT(*) AS held FROM lock WHERE state = 'held'") == [{"held": 0}]
    assert books.differences() == []
