"""Loss and jitter as RFC 3550 counts them, and the one stream that goes out, with a clock in hand."""

import random
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpbridge import Bridge
from tests.rtpbridge.phone import Phone, until, voice

MS = 1_000_000
CLOCK_HZ = 8000


class Receiver:
    def __init__(self, pure: ModuleType) -> None:
        self.ffi, self.lib = pure.ffi, pure.lib
        self.state: Any = self.ffi.new("struct rtp_receiver *")

    def note(self, sequence: int, at_ms: float, timestamp: int | None = None, ssrc: int = 1) -> None:
        header = self.ffi.new(
            "struct rtp_header *",
            {
                "sequence": sequence % 2**16,
                "timestamp": (160 * sequence if timestamp is None else timestamp) % 2**32,
                "ssrc": ssrc,
            },
        )
        self.lib.rtp_receiver_note(self.state, header, CLOCK_HZ, int(at_ms * MS))

    @property
    def lost(self) -> int:
        return int(self.lib.rtp_receiver_lost(self.state))

    @property
    def jitter_ms(self) -> float:
        return float(self.state.jitter) * 1000 / CLOCK_HZ


@pytest.mark.parametrize(
    ("sequences", "lost"),
    [
        ([], 0),
        ([7], 0),
        (list(range(100)), 0),
        ([0, 1, 2, 5, 6], 2),
        ([0, 2, 1, 3], 0),
        ([0, 1, 1, 2], -1),
        ([65_534, 65_535, 65_537, 65_538], 1),
        ([0, 1, 2, 30_000, 30_001, 30_002], 0),  # a source that began anew (RFC 3550, A.1)
        ([0, 1, 5, 30_000, 30_001, 30_005], 6),  # loss before it is not forgotten
        ([0, 1, 2, 30_000, 3, 4], 0),  # one packet astray is no new beginning
    ],
)
def test_lost(pure: ModuleType, sequences: list[int], lost: int) -> None:
    receiver = Receiver(pure)
    for index, sequence in enumerate(sequences):
        receiver.note(sequence, 20 * index)
    assert receiver.lost == lost


def test_lost_over_two_ssrcs_and_many_wraps(pure: ModuleType) -> None:
    receiver = Receiver(pure)
    for sequence in range(200_000):
        if sequence % 1000:
            receiver.note(sequence, 20 * sequence)
    assert receiver.lost == 199
    for sequence in (9, 10, 12):
        receiver.note(sequence, 20 * 200_000, ssrc=2)
    assert receiver.lost == 200


def test_fraction_lost_is_of_the_interval(pure: ModuleType) -> None:
    receiver = Receiver(pure)
    for sequence in range(100):
        if sequence % 4:
            receiver.note(sequence, 20 * sequence)
    assert receiver.lib.rtp_receiver_fraction_lost(receiver.state) == 24 * 255 // 99
    for sequence in range(100, 200):
        receiver.note(sequence, 20 * sequence)
    assert receiver.lib.rtp_receiver_fraction_lost(receiver.state) == 0
    assert receiver.lib.rtp_receiver_fraction_lost(receiver.state) == 0  # nothing expected since


def test_jitter_is_that_of_appendix_a8(pure: ModuleType) -> None:
    seed = 20_061
    random_ms = random.Random(seed)
    receiver, expected, before = Receiver(pure), 0.0, None
    for sequence in range(500):
        arrival = 20 * sequence * 8 + random_ms.randrange(0, 160)  # in units of the timestamp
        transit = arrival - 160 * sequence
        if before is not None:
            expected += (abs(transit - before) - expected) / 16
        before = transit
        receiver.note(sequence, arrival / 8)
    assert receiver.jitter_ms == pytest.approx(expected / 8, rel=0.02), f"seed {seed}"
    assert receiver.jitter_ms > 3


def test_jitter_is_not_disturbed_by_telephone_events_and_new_clocks(pure: ModuleType) -> None:
    receiver = Receiver(pure)
    for sequence in range(50):
        receiver.note(sequence, 20 * sequence)
    for sequence in range(50, 60):
        receiver.note(sequence, 20 * sequence, timestamp=160 * 50)
    for sequence in range(60, 100):
        receiver.note(sequence, 20 * sequence)
    assert receiver.jitter_ms == pytest.approx(0, abs=0.05)
    for sequence in range(100, 110):
        receiver.note(sequence, 20 * sequence, timestamp=160 * sequence + 3_000_000_000)
    assert receiver.jitter_ms < 0.05


@settings(max_examples=200)
@given(
    notes=st.lists(
        st.tuples(st.integers(0, 2**16), st.integers(0, 2**50), st.integers(0, 2**32 - 1), st.integers(0, 1)),
        max_size=50,
    )
)
def test_no_run_of_headers_breaks_the_arithmetic(pure: ModuleType, notes: list[tuple[int, int, int, int]]) -> None:
    receiver = Receiver(pure)
    for sequence, at_ms, timestamp, ssrc in notes:
        receiver.note(sequence, at_ms / MS, timestamp, ssrc)
        assert 0 <= receiver.jitter_ms <= 1000
        assert abs(receiver.lost) <= 2**17 * len(notes)


class Sender:
    def __init__(self, pure: ModuleType, sequence: int = 1000, timestamp: int = 5000) -> None:
        self.ffi, self.lib = pure.ffi, pure.lib
        self.state: Any = self.ffi.new("struct rtp_sender *")
        self.lib.rtp_sender_begin(self.state, 0xCAFE, sequence, timestamp)

    def follow(self, sequence: int, at_ms: float, ssrc: int = 1) -> tuple[int, int, bool] | None:
        """(sequence, timestamp, marker) that goes out, or None when the packet is too old."""
        source = {"sequence": sequence % 2**16, "timestamp": 160 * sequence % 2**32, "ssrc": ssrc}
        header = self.ffi.new("struct rtp_header *", source)
        if self.lib.rtp_sender_follow(self.state, header, CLOCK_HZ, int(at_ms * MS)) != 0:
            return None
        assert header.ssrc == 0xCAFE
        return header.sequence, header.timestamp, header.marker


def test_a_source_is_taken_up_where_the_stream_stands(pure: ModuleType) -> None:
    sender = Sender(pure)
    assert [sender.follow(7 + n, 20 * n) for n in range(3)] == [
        (1000, 5000, False),
        (1001, 5160, False),
        (1002, 5320, False),
    ]
    assert sender.follow(40_000, 140, ssrc=2) == (1003, 5320 + 800, True)  # 100 ms later
    sender.lib.rtp_sender_switch(sender.state)
    assert sender.follow(40_001, 141, ssrc=2) == (1004, 6120 + 160, True)  # at once, but a frame further
    assert sender.follow(40_003, 181, ssrc=2) == (1006, 6280 + 320, False)
    assert sender.follow(40_002, 182, ssrc=2) == (1005, 6280 + 160, False)


def test_what_is_older_than_the_join_is_not_sent_under_a_spent_number(pure: ModuleType) -> None:
    sender = Sender(pure)
    sender.follow(1, 0)
    assert sender.follow(500, 20, ssrc=2) == (1001, 5160, True)
    assert sender.follow(499, 21, ssrc=2) is None
    assert sender.follow(502, 60, ssrc=2) == (1003, 5160 + 320, False)
    assert sender.follow(501, 61, ssrc=2) == (1002, 5160 + 160, False)
    assert sender.follow(498, 62, ssrc=2) is None


@pytest.mark.parametrize("jump", [5000, -200, 30_000, -30_000])
def test_a_source_that_begins_anew_under_its_ssrc_is_taken_up_anew(pure: ModuleType, jump: int) -> None:
    sender = Sender(pure)
    sent = [sender.follow(100 + n, 20 * n) for n in range(10)]
    sent += [sender.follow(100 + jump + n, 20 * n) for n in range(10, 20)]
    assert [packet[0] for packet in sent if packet] == list(range(1000, 1020))


@settings(max_examples=200)
@given(
    steps=st.lists(st.tuples(st.integers(-100, 100), st.integers(0, 2), st.booleans()), min_size=1, max_size=80),
    begin=st.integers(0, 2**16 - 1),
)
def test_no_number_is_used_for_two_different_packets(
    pure: ModuleType, steps: list[tuple[int, int, bool]], begin: int
) -> None:
    """Two packets under one number would be two texts under one key stream once the leg is SRTP."""
    sender, sequence, source = Sender(pure, sequence=begin), 30_000, (0, 0)
    used: dict[int, tuple[tuple[int, int], int]] = {}
    for index, (step, ssrc, switched) in enumerate(steps):
        sequence += step
        if switched:
            sender.lib.rtp_sender_switch(sender.state)
        if switched or ssrc != source[0]:
            source = (ssrc, index)
        sent = sender.follow(sequence, 20 * index, ssrc)
        if sent is not None:
            assert used.setdefault(sent[0], (source, sequence)) == (source, sequence)


def test_counters_say_what_was_lost_and_how_it_trembled(bridge: Bridge, host: str) -> None:
    phone = Phone(host)
    port = phone.connected(bridge)
    assert port.counters().last_received_ns == 0
    phone.say(port, *[voice(number) for number in range(100) if number not in (10, 20, 21)])
    until(lambda: port.counters().received_packets == 97)
    counters = port.counters()
    assert counters.lost_packets == 3
    # 97 frames of 20 ms within a few ms: nearly every one is 20 ms early, and the estimate goes towards that.
    assert 10 < counters.jitter_ms < 25
    assert counters.last_received_ns > 0
    phone.close()
