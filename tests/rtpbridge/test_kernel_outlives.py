"""A process that carries calls is killed: the voice goes on, to the deadline and no longer, and the next process takes it over."""

import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from rtpbridge import Bridge, PortsUsedUp, Tone
from tests.rtpbridge.phone import PCMU, Phone, Rtp, until, voice
from tests.rtpbridge.victim import OWNER, PORT_MAX, PORT_MIN

TOP = Path(__file__).parent.parent.parent
MS = 1_000_000
DIGIT = struct.pack("!BBH", 5, 0x8A, 800)


class Victim:
    """The other process; its two ports carry the voice of two phones through the kernel."""

    def __init__(self, pins: Path, a: Phone, b: Phone) -> None:
        command = [sys.executable, "-m", "tests.rtpbridge.victim", a.host, str(pins), str(a.port), str(b.port)]
        self.process = subprocess.Popen(command, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port_a, self.port_b = map(int, self._answer().split())
        self.a, self.b = a, b
        self.said = 0

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def set_deadline(self, at_ns: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{at_ns}\n")
        self.process.stdin.flush()
        assert self._answer() == "set\n"

    def say(self) -> None:
        """The next frame of either phone."""
        for phone, port, ssrc in ((self.a, self.port_a, 0xA), (self.b, self.port_b, 0xB)):
            phone.rtp.sendto(voice(self.said, ssrc=ssrc).pack(), (phone.host, port))
        self.said += 1

    def converse(self, frames: int) -> tuple[list[Rtp], list[Rtp]]:
        """What each phone hears while both say so many frames; one that does not come is a failure."""
        heard_a, heard_b = [], []
        for _ in range(frames):
            self.say()
            heard_a += self.a.hear()
            heard_b += self.b.hear()
        return heard_a, heard_b

    def kill(self) -> None:
        """Between two frames that are as far from each other as any phone's."""
        time.sleep(0.02)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        time.sleep(0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[Path]:
    """A place for bpffs; the last bridge on it that closes takes it away."""
    place = tmp_path / "pins"
    yield place
    is_left = place.exists()
    if is_left:  # or it would go on forwarding
        subprocess.run(["umount", str(place)], check=False)
    assert not is_left, "something is left behind"


@pytest.fixture
def victim(pins: Path, host: str, new_phone: Callable[[], Phone]) -> Iterator[Victim]:
    with Victim(pins, new_phone(), new_phone()) as victim:
        victim.converse(5)
        yield victim


def continued(before: list[Rtp], after: list[Rtp]) -> bool:
    """One stream without a break: every frame, in order, under the numbers that follow."""
    heard = before + after
    first = heard[0]
    return all(
        packet.ssrc == first.ssrc
        and (packet.sequence - first.sequence) % 2**16 == place
        and (packet.timestamp - first.timestamp) % 2**32 == 160 * place
        for place, packet in enumerate(heard)
    )


def next_bridge(host: str, pins: Path, kernel: bool = True) -> Bridge:
    return Bridge(host, PORT_MIN, PORT_MAX, kernel=kernel, owner=OWNER, pins=str(pins))


def all_that_are_free(bridge: Bridge) -> set[int]:
    """Every port that is drawn until none is left; they are free again afterwards."""
    drawn = []
    with suppress(PortsUsedUp):
        while True:
            drawn.append(bridge.open_port())
    for port in drawn:
        port.close()
    return {port.rtp_port for port in drawn}


def test_not_a_packet_is_missing_when_the_process_is_killed_and_the_next_carries_on(
    victim: Victim, host: str, pins: Path
) -> None:
    before_a, before_b = victim.converse(20)
    victim.kill()
    after_a, after_b = victim.converse(50)
    with next_bridge(host, pins) as bridge:
        left = bridge.kernel_flows()
        assert [(flow.rtp_port, flow.peer_rtp_port, flow.held) for flow in left] == sorted(
            [(victim.port_a, victim.port_b, False), (victim.port_b, victim.port_a, False)]
        )
        assert not {victim.port_a, victim.port_b} & all_that_are_free(bridge)
        during_a, during_b = victim.converse(5)
        a, b = bridge.open_port(victim.port_a), bridge.open_port(victim.port_b)
        a.connect(host, victim.a.port, PCMU)
        b.connect(host, victim.b.port, PCMU)
        assert bridge.adopt(a, b)
        adopted_a, adopted_b = victim.converse(20)
        assert continued(before_a, after_a + during_a + adopted_a)
        assert continued(before_b, after_b + during_b + adopted_b)
        assert a.counters().received_packets == victim.said
        assert a.counters().lost_packets == 0
        assert all(flow.held for flow in bridge.kernel_flows())
        # And it is the new bridge's own: a digit, a tone, in the stream that the dead one began.
        digit = Rtp(DIGIT, victim.said, 160 * victim.said, 0xA, 101)
        victim.a.say(a, digit)
        (heard,) = victim.b.hear()
        assert (heard.payload, (heard.sequence - adopted_b[-1].sequence) % 2**16) == (DIGIT, 1)
        bridge.split(a, b)
        a.play(Tone((425.0,)))
        (tone,) = victim.a.hear()
        assert (tone.ssrc, (tone.sequence - adopted_a[-1].sequence) % 2**16) == (adopted_a[-1].ssrc, 1)


def test_the_deadline_cuts_within_20_ms_though_the_process_is_dead(victim: Victim, host: str, pins: Path) -> None:
    deadline_ns = time.monotonic_ns() + 300 * MS
    victim.set_deadline(deadline_ns)
    victim.kill()
    said_ns: list[int] = []
    while time.monotonic_ns() < deadline_ns + 100 * MS:
        said_ns.append(time.monotonic_ns())
        victim.say()
        time.sleep(0.001)
    heard = []
    victim.b.rtp.setblocking(False)
    try:
        while True:
            heard.append(Rtp.read(victim.b.rtp.recv(2048)))
    except BlockingIOError:
        pass
    first = victim.said - len(said_ns)
    assert [packet.payload for packet in heard] == [voice(first + n, ssrc=0xA).payload for n in range(len(heard))]
    assert said_ns[len(heard) - 1] <= deadline_ns  # the last that came
    assert said_ns[len(heard)] >= deadline_ns - 20 * MS  # the first that did not
    next_bridge(host, pins).close()


def test_the_next_process_may_move_the_deadline(victim: Victim, host: str, pins: Path) -> None:
    victim.set_deadline(time.monotonic_ns() + 10**11)
    victim.kill()
    with next_bridge(host, pins) as bridge:
        a, b = bridge.open_port(victim.port_a), bridge.open_port(victim.port_b)
        for port, phone in ((a, victim.a), (b, victim.b)):
            port.connect(host, phone.port, PCMU)
        assert bridge.adopt(a, b)
        assert all((flow.deadline_ns or 0) > time.monotonic_ns() for flow in bridge.kernel_flows())
        bridge.set_deadline(a, b, time.monotonic_ns())
        victim.say()
        until(lambda: a.counters().dropped_deadline == 1)


def test_what_nobody_adopts_is_removed(victim: Victim, host: str, pins: Path, new_phone: Callable[[], Phone]) -> None:
    victim.kill()
    with next_bridge(host, pins) as bridge:
        bridge.remove_kernel_flow(victim.port_a)
        bridge.remove_kernel_flow(victim.port_a)
        assert [flow.rtp_port for flow in bridge.kernel_flows()] == [victim.port_b]
        c, d = new_phone().connected(bridge), new_phone().connected(bridge)
        assert not bridge.adopt(c, d)
        with pytest.raises(ValueError, match="not connected"):
            bridge.adopt(c, bridge.open_port(victim.port_b))
        victim.say()
        victim.a.hear()  # the other way goes on
    victim.say()
    victim.a.rtp.settimeout(0.05)
    with pytest.raises(TimeoutError):
        victim.a.hear()


def test_one_process_holds_the_flows_of_an_owner(victim: Victim, host: str, pins: Path) -> None:
    other = Bridge(host, PORT_MAX + 1, PORT_MAX + 100, kernel=True, owner=OWNER, pins=str(pins))
    used, why = other.kernel_state()
    assert (used, "another process holds" in why) == (False, True)
    other.close()
    victim.converse(5)
    victim.kill()
    next_bridge(host, pins).close()


def test_a_bridge_that_may_not_use_the_kernel_ends_what_was_left_there(victim: Victim, host: str, pins: Path) -> None:
    victim.kill()
    with next_bridge(host, pins, kernel=False) as bridge:
        assert bridge.kernel_state() == (False, "it is switched off")
        victim.say()
        victim.a.rtp.settimeout(0.05)
        with pytest.raises(TimeoutError):
            victim.a.hear()


def test_flows_for_other_ports_are_not_taken_over(victim: Victim, host: str, pins: Path) -> None:
    """The map would be read wrongly: voice of such calls ends with the bridge that finds it."""
    victim.kill()
    with Bridge(host, PORT_MIN, PORT_MAX + 200, kernel=True, owner=OWNER, pins=str(pins)) as bridge:
        assert bridge.kernel_state() == (True, "")
        assert bridge.kernel_flows() == []
