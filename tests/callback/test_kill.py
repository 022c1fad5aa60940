"""kill -9 of the engine, again and again, at moments by chance, while sipp phones talk: nobody who talks is cut off, nobody pays
a second too much, and what was being set up leaves nothing up.

The gap in the voice is measured at sockets of the phones, with the voice passing through the engine and through the kernel.
"""

import json
import random
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from math import ceil
from pathlib import Path

import pytest

from tests.billing.rows import no_limits
from tests.callback.configuration import add_rate, charge_a, charge_a_if_b_fails, charge_b, sip_port
from tests.callback.conftest import running
from tests.callback.ears import Ears, hosts_of_their_own
from tests.callback.installation import START_SECONDS_MAX, Installation, waits_for_its_turn
from tests.callback.outcome import WIRE_TOLERANCE_SECONDS, assert_books_balance
from tests.callback.phones import Phone
from tests.callback.wire import Message
from webcb import db
from webcb.models import Callback, Connection, Destination, Leg, Route, Tariff, Vendor, Xdr
from webcb.number import Kind, Number

PASSER_BY = Number("493012345678", "DE", Kind.ORDINARY)  # answers, and hangs up soon
FUNDS_MICROS = 10_000_000_000
MEDIA_PORTS = {"A": 10_000, "B": 20_000, "passing": 30_000}  # of an address that is this test's alone
FIRST_CALL, NEXT_CALL = 10, 4  # of the ports of sipp's calls, as speaks_*.xml have them
KILLS, PARTS = 50, 5  # ten an installation
ENGINE_LIFE_SECONDS = (0.0, 5.0)  # by chance; an engine needs about one to be up, and so dies on the way, too
RING_MS = 300
CALLS_MAX, LIFE_SECONDS = 100_000, 1200  # of a phone: it is ended by us
BEGIN_SECONDS_MAX = 60
SIGN_OF_LIFE_SECONDS = 1.5  # from one to the next, on a loaded host
END_SECONDS_MAX = 60.0  # also for a phone that says its BYE again, later and later
GAP_IN_KERNEL_SECONDS = 0.2
START_TO_VOICE_SECONDS_MAX = 1.0  # some 0.3 s, where others want the processors too
WAY = re.compile(r"calls goes on, (\d+) ms after")  # what each engine says of its way


@pytest.mark.parametrize("kernel", ["off", "auto"])
def test_who_talks_goes_on_through_three_kills(tmp_path: Path, database_url: str, kernel: str) -> None:
    survive(tmp_path, database_url, kernel, callbacks=3, passing=2, kills=3)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("kernel", "spare"), [("off", False), ("auto", False), ("off", True)])
def test_twenty_callbacks_survive_fifty_kills(
    tmp_path: Path, database_url: str, kernel: str, spare: bool, part: int
) -> None:
    survive(tmp_path, database_url, kernel, callbacks=20, passing=3, kills=KILLS // PARTS, spare=spare)


def survive(
    folder: Path, database_url: str, kernel: str, *, callbacks: int, passing: int, kills: int, spare: bool = False
) -> None:
    """Let so many callbacks talk, and others come and go, while the engine is killed and started again, or a spare one goes on;
    then see that all went well."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with running(folder, database_url, WEBCB_RTP_KERNEL=kernel) as webcb, phones(webcb, callbacks) as ears:
        lasting = [webcb.place(f"lasting {number}") for number in range(callbacks)]
        for callback_id in lasting:
            webcb.wait_for_state(callback_id, "talking", BEGIN_SECONDS_MAX)
        standing_by = webcb.another_engine("--stand-by") if spare else None
        passers: list[str] = []
        made: list[Kill] = []
        time.sleep(1)  # of voice, to see how it flows when nothing happens
        undisturbed = [ear.gap_seconds(time.time() - 0.8, time.time() - 0.1) for ear in ears.all]
        while len(made) < kills:
            open_now = Callback.select().where(Callback.id.in_(passers), Callback.state != "ended").count()
            passers += [webcb.place(f"passing {len(passers) + more}", PASSER_BY) for more in range(passing - open_now)]
            if standing_by is not None:  # else nobody stands by
                webcb.wire.wait(partial(waits_for_its_turn, standing_by.pid), START_SECONDS_MAX, "it is warm")
            time.sleep(chance.uniform(*ENGINE_LIFE_SECONDS))
            killed_at = time.time()
            webcb.kill_engine()
            dead_at = time.time()
            if standing_by is None:
                webcb.revive_engine()
            else:
                webcb.engine, standing_by = standing_by, webcb.another_engine("--stand-by")
            made.append(Kill(killed_at, dead_at, time.time()))
        wait_until_over(webcb, passers)
        revived = time.time()
        if standing_by is not None:
            standing_by.kill()
            standing_by.wait()
        assert {row.state for row in _rows(lasting)} == {"talking"}, [row.ending for row in _rows(lasting)]
        said = [each.name for carrier in "AB" for leg in _legs(lasting) for each in _said(webcb, carrier, leg)]
        assert not {"BYE", "CANCEL"} & set(said)
        time.sleep(1)
        moments = [kill.dead_at for kill in made]
        for kill, until in zip(made, [*moments[1:], revived], strict=True):
            kill.spans = [ear.gap(kill.dead_at, until) for ear in ears.all]
            print(kill.told(moments, webcb.log()))
        gaps = [ended - began for kill in made for began, ended in kill.spans]
        # Some engines are killed before they are up: what an engine takes is counted from the last kill before the voice is back.
        starts = [ended - max(at for at in moments if at < ended) for kill in made for _, ended in kill.spans]
        for callback_id in lasting:
            webcb.release(callback_id)
        wait_until_over(webcb, lasting)
        print(
            f"kernel {kernel}{', an engine stands by' if spare else ''}: {kills} kills, {callbacks} callbacks,"
            f" {len(passers)} passing; gap in the voice of a leg:"
            f" median {statistics.median(gaps) * 1000:.0f} ms, max {max(gaps) * 1000:.0f} ms,"
            f" {sum(gap > GAP_IN_KERNEL_SECONDS for gap in gaps)} of {len(gaps)} above {GAP_IN_KERNEL_SECONDS * 1000:.0f} ms;"
            f" undisturbed: median {statistics.median(undisturbed) * 1000:.0f} ms, max {max(undisturbed) * 1000:.0f} ms"
        )
        assert ("voice of joined legs passes through the kernel" in webcb.log()) == (kernel == "auto")
        if kernel == "auto":
            assert statistics.median(gaps) < GAP_IN_KERNEL_SECONDS
        else:
            by_processes = [int(each) / 1000 for each in WAY.findall(webcb.log())]
            print(
                f"from the last start to the voice: median {statistics.median(starts) * 1000:.0f} ms, max {max(starts) * 1000:.0f} ms;"
                f" by the processes: median {statistics.median(by_processes) * 1000:.0f} ms, max {max(by_processes) * 1000:.0f} ms"
            )
            assert statistics.median(starts) < START_TO_VOICE_SECONDS_MAX
            assert max(by_processes) < START_TO_VOICE_SECONDS_MAX
        assert {row.ending for row in _rows(lasting)} == {"user released"}
        # Of those that pass, too, who talked talked until B had enough; where the engine died of all that it knew of B's BYE,
        # the next one finds nobody there.
        assert {row.ending for row in _rows(passers) if row.talking_at is not None} <= {"B hung up", "connection lost"}
        for leg in _legs(lasting + passers):
            _assert_charged_as_it_was(webcb, leg, moments)
        assert_books_balance(webcb)
        webcb.kill_engine()  # it still asks phones whose sipp has forgotten their calls


@dataclass
class Kill:
    """When an engine was killed, had gone, and the next was started, in seconds since 1970; `spans`: each phone's longest silence."""

    killed_at: float
    dead_at: float
    started_at: float
    spans: list[tuple[float, float]] = field(default_factory=list)

    def told(self, moments: list[float], log: str) -> str:
        """Where the time went until the voice was back, in ms: at the phone that waited longest, from the last of the kills before."""
        began, ended = max(self.spans, key=lambda span: span[1] - span[0])
        if ended - began < GAP_IN_KERNEL_SECONDS:
            return f"silence {(ended - began) * 1000:.0f}: who was killed was not up, or the voice was the kernel's"
        last = max(at for at in moments if at < ended)
        lines = [line for line in log.splitlines() if "calls goes on, " in line]
        told = [(datetime.fromisoformat(f"{line[:19]}.{line[20:23]}Z").timestamp(), line) for line in lines]
        way = next(
            (line.partition("goes on, ")[2] for at, line in told if last - 0.001 <= at), "the engine told nothing"
        )
        joined_at = next((at for at, _ in told if last - 0.001 <= at), ended)
        return (
            f"silence {(ended - began) * 1000:.0f}: the last packet {(self.killed_at - began) * 1000:.0f} before the kill,"
            f" dead after {(self.dead_at - self.killed_at) * 1000:.0f}, {(last - self.dead_at) * 1000:.0f} to the last kill,"
            f" the next one started after {(self.started_at - self.dead_at) * 1000:.0f}, voice {way},"
            f" told {(joined_at - last) * 1000:.0f} after the last kill, heard {(ended - joined_at) * 1000:.0f} later"
            f" (the first phone {(min(end for _, end in self.spans) - joined_at) * 1000:.0f})"
        )


@contextmanager
def phones(webcb: Installation, callbacks: int) -> Iterator[Ears]:
    """Sipp phones for the callbacks that last and for those that pass, and the ears of the first."""
    no_limits()
    webcb.add_funds(FUNDS_MICROS)
    _route_passing(webcb)
    host = f"127.0.1.{webcb.ports.start // len(webcb.ports) % 250 + 1}"
    ports = [MEDIA_PORTS[side] + FIRST_CALL + NEXT_CALL * call for side in "AB" for call in range(callbacks)]
    ears = Ears(host, ports)
    try:
        for carrier, media_port in MEDIA_PORTS.items():
            passes = carrier == "passing"
            scenario = "speaks_a_while" if passes else "speaks_to_the_end"
            phone = Phone.start(
                scenario,
                _passing_port(webcb) if passes else sip_port(webcb.ports, carrier),
                media_port,
                webcb.folder / carrier,
                CALLS_MAX,
                media_host=host,
                control_port=webcb.ports[90 + len(webcb.phones)],
                life_seconds=LIFE_SECONDS,
                **{} if passes else {"ring_ms": RING_MS},
            )
            webcb.phones[carrier] = phone
            webcb.wire.wait(phone.is_listening, START_SECONDS_MAX, f"{scenario} listens")
            webcb.route(carrier)
        with hosts_of_their_own():
            yield ears
    finally:
        ears.close()


def _passing_port(webcb: Installation) -> int:
    return webcb.ports[19]


def _route_passing(webcb: Installation) -> None:
    """Rates and a carrier for the numbers of those that pass."""
    prefix = PASSER_BY.digits[:4]
    with db.writing():
        destination = Destination.create(prefix=prefix)
        add_rate(Tariff.get(Tariff.name == "Leg B"), destination, 6, 1_200_000)
        cost = Tariff.create(name="Cost passing", currency="USD", applied_to="vendor")
        add_rate(cost, destination, 1, 6_000)
        Route.create(tariff=cost, destination=destination, preference=7)
        Connection.create(
            name="Carrier passing",
            vendor=Vendor.create(name="Vendor passing", currency="USD"),
            tariff=cost,
            host="127.0.0.1",
            port=_passing_port(webcb),
            active=False,
        )


def _rows(callback_ids: list[str]) -> list[Callback]:
    return list(Callback.select().where(Callback.id.in_(callback_ids)))


def _legs(callback_ids: list[str]) -> list[Leg]:
    return list(Leg.select().where(Leg.callback.in_(callback_ids)))


def wait_until_over(webcb: Installation, callback_ids: list[str]) -> None:
    def is_over() -> bool:
        return all(row.state == "ended" for row in _rows(callback_ids))

    webcb.wire.wait(is_over, END_SECONDS_MAX, "all has ended")


def _said(webcb: Installation, carrier: str, leg: Leg) -> list[Message]:
    """What passed between the engine and a phone in the call of a leg; nothing where it was another's."""
    if leg.invite is None:
        return []
    (call_id,) = json.loads(leg.invite)["fields"]["Call-ID"]
    return [each for each in webcb.messages(carrier) if each.header("Call-ID") == call_id]


def _carrier(leg: Leg) -> str:
    if leg.name == "A":
        return "A"
    return "passing" if leg.cld == PASSER_BY.digits else "B"


def _assert_charged_as_it_was(webcb: Installation, leg: Leg, moments: list[float]) -> None:
    """One xDR for a leg that was called, of as many seconds as the wire saw it up for, and none for any other; no leg stays up.

    `moments` are those of the kills.
    """
    messages = _said(webcb, _carrier(leg), leg)
    xdrs = list(Xdr.select().where(Xdr.callback == leg.callback_id, Xdr.leg == leg.name))
    assert len(xdrs) == (leg.placed_at is not None), (leg.callback_id, leg.name)
    story = (
        f"{leg.callback_id} {leg.name} {leg.callback.ending}: {[(round(m.at, 2), m.name, m.method) for m in messages]}"
    )
    if not xdrs:
        assert not [each for each in messages if (each.name, each.method) == ("200", "INVITE")], story
        return
    (xdr,) = xdrs
    fails = leg.name == "A" and leg.callback.talking_at is None
    charge = charge_b if leg.name == "B" else charge_a_if_b_fails if fails else charge_a
    assert xdr.charged_micros == charge(xdr.used_quantity), story
    answered = [each.at for each in messages if (each.name, each.method) == ("200", "INVITE")]
    hung_up = [each.at for each in messages if each.name in ("BYE", "CANCEL")]  # with either a sipp's call is over
    assert bool(answered) <= bool(hung_up), f"still up: {story}"
    if xdr.used_quantity:
        by_phone = [each.at for each in messages if each.name == "BYE" and each.target == webcb.ports[0]]
        # B says its BYE until an engine is there to hear it: the leg ended with one of them.
        least = hung_up[0] - answered[0] - WIRE_TOLERANCE_SECONDS
        heard = [
            each.at for each in messages if (each.name, each.method) == ("200", "BYE")
        ]  # it may have waited in the kernel
        most = max([*(by_phone or hung_up)[-1:], *heard]) - answered[0] + WIRE_TOLERANCE_SECONDS
        if leg.callback.ending in (
            "connection lost",
            "engine stopped",
        ):  # charged to the last sign of life of an engine
            died = next((at for at in moments if at > answered[0]), answered[0])
            least = min(least, died - answered[0] - SIGN_OF_LIFE_SECONDS)
        assert ceil(least) <= xdr.used_quantity <= ceil(most), f"{xdr.used_quantity} s: {story}"
