"""Digits of RFC 4733: one for each key pressed, whatever the network does to its packets."""

import errno
import random
import struct
from collections.abc import Iterable
from types import ModuleType

import pytest

CLOCK_HZ = 8_000
MS = 1_000_000  # nanoseconds
END = 0x80


def press(
    event: int, timestamp: int, duration: int = 800, *, sequence: int = 0, clock_hz: int = CLOCK_HZ
) -> list[tuple[int, int, bool, bytes]]:
    """The packets of a digit, every 20 ms: sequence, timestamp, marker, payload; three at the end."""
    frame = clock_hz // 50
    told = [*range(frame, duration, frame), duration, duration, duration]
    return [
        (sequence + n, timestamp, n == 0, struct.pack("!BBH", event, (END if n >= len(told) - 3 else 0) | 10, ticks))
        for n, ticks in enumerate(told)
    ]


class Receiver:
    def __init__(self, pure: ModuleType, clock_hz: int = CLOCK_HZ) -> None:
        self.pure, self.clock_hz = pure, clock_hz
        self.state, self.told = pure.ffi.new("struct dtmf_receiver *"), pure.ffi.new("struct dtmf_told *")
        self.began = 0
        self.now_ns = 1

    def take(self, packets: Iterable[tuple[int, int, bool, bytes]], ssrc: int = 1) -> list[tuple[str, int]]:
        ended = []
        for sequence, timestamp, marker, payload in packets:
            self.now_ns += 20 * MS
            header = self.pure.ffi.new(
                "struct rtp_header *",
                {
                    "marker": marker,
                    "sequence": sequence % 2**16,
                    "timestamp": timestamp % 2**32,
                    "ssrc": ssrc,
                    "payload_bytes": len(payload),
                },
            )
            octets = self.pure.ffi.new("uint8_t[]", list(payload))
            assert self.pure.lib.dtmf_take(self.state, header, octets, self.clock_hz, self.now_ns, self.told) == 0
            self.began += self.told.began
            ended += [
                (self.told.ended[i].digit.decode(), self.told.ended[i].duration_ms)
                for i in range(self.told.ended_count)
            ]
        return ended

    def expire(self, after_ms: int) -> tuple[str, int] | None:
        digit = self.pure.ffi.new("struct dtmf_digit *")
        over = self.pure.lib.dtmf_expire(self.state, self.now_ns + after_ms * MS, digit)
        return (digit.digit.decode(), digit.duration_ms) if over else None


def test_each_digit_once_with_its_length(pure: ModuleType) -> None:
    receiver = Receiver(pure)
    for event, digit in enumerate("0123456789*#ABCD"):
        assert receiver.take(press(event, 10_000 * event, 800 + event * 8)) == [(digit, 100 + event)]
    assert receiver.began == 16
    assert receiver.expire(10_000) is None


def test_any_one_end_packet_is_enough(pure: ModuleType) -> None:
    packets = press(5, 0)
    for kept in (-3, -2, -1):
        receiver = Receiver(pure)
        assert receiver.take([*packets[:-3], packets[kept]]) == [("5", 100)]
        assert receiver.take([packets[kept]]) == []
    assert Receiver(pure).take([packets[-1]]) == [("5", 100)]  # all others lost


def test_any_loss_reordering_and_repetition_leaves_one_digit_each(pure: ModuleType) -> None:
    """Within a digit anything; digits follow one another with a pause."""
    seeds = random.Random(4733)
    for _ in range(200):
        receiver = Receiver(pure)
        heard: list[tuple[str, int]] = []
        late: list[tuple[int, int, bool, bytes]] = []
        for place, event in enumerate((1, 1, 12, 3)):
            packets = press(event, 2**32 - 5_000 + 4_000 * place, sequence=100 * place)
            body = [packet for packet in packets if seeds.random() < 0.7] or [packets[3]]
            body += seeds.sample(body, k=len(body) // 3)
            seeds.shuffle(body)
            heard += receiver.take([*body, *late, seeds.choice(packets[-3:])])
            late = seeds.sample(packets, k=2)
        assert [digit for digit, _ in heard] == ["1", "1", "A", "3"]
        assert receiver.began == 4


def test_a_digit_without_an_end_is_over_when_the_next_begins_or_time_has_passed(pure: ModuleType) -> None:
    receiver = Receiver(pure)
    assert receiver.take(press(1, 0)[:-3]) == []
    assert receiver.take(press(1, 4_000)[:2]) == [("1", 80)]
    assert receiver.expire(199) is None
    assert receiver.expire(200) == ("1", 40)
    assert receiver.expire(400) is None
    assert receiver.take(press(1, 4_000)[2:]) == []  # what was late belongs to it


def test_a_key_held_for_20_seconds_is_one_digit(pure: ModuleType) -> None:
    """RFC 4733, 2.5.1.3: after 65,535 ticks another segment goes on under another timestamp."""
    receiver = Receiver(pure)
    first = [(n, 1_000, n == 0, struct.pack("!BBH", 9, 10, min(160 * n + 160, 0xFFFF))) for n in range(410)]
    second = [
        (500 + n, 1_000 + 0xFFFF, False, struct.pack("!BBH", 9, 10, min(160 * n + 160, 0xFFFF))) for n in range(410)
    ]
    third = [(900, 1_000 + 2 * 0xFFFF, False, struct.pack("!BBH", 9, END | 10, 28_930))] * 3
    assert receiver.take(first + second) == []
    assert receiver.take(third) == [("9", 20_000)]
    assert receiver.began == 1


def test_the_sender_is_understood_by_the_receiver(pure: ModuleType) -> None:
    ffi, lib = pure.ffi, pure.lib
    receiver = Receiver(pure)
    payload, marker, timestamp = ffi.new("uint8_t[4]"), ffi.new("bool *"), ffi.new("uint32_t *")
    begin = 2**32 - 100
    for digit, ms in [("1", 100), ("#", 95), ("D", 40), ("0", 20_000), ("5", 8_192), ("5", 8_180)]:
        sender = ffi.new("struct dtmf_sender *")
        assert lib.dtmf_sender_begin(sender, digit.encode(), ms * 8) == 0
        packets = []
        while lib.dtmf_sender_next(sender, 160, payload, marker, timestamp):
            packets.append((0, begin + timestamp[0], marker[0], bytes(payload)))
        assert [packet[2] for packet in packets] == [True] + [False] * (len(packets) - 1)
        assert [packet[3][1] & END for packet in packets[-4:]] == [0, END, END, END]
        assert len(packets) == -(-ms // 20) + 2
        ((heard, heard_ms),) = receiver.take(packets)
        assert (heard, heard_ms) == (digit, ms)
        begin += ms * 8 + 800


def test_another_source_begins_anew(pure: ModuleType) -> None:
    receiver = Receiver(pure)
    assert receiver.take(press(7, 50_000)) == [("7", 100)]
    assert receiver.take(press(7, 1_000), ssrc=2) == [("7", 100)]
    assert receiver.take(press(8, 9_000)[:2], ssrc=2) == []
    assert receiver.take(press(9, 2_000), ssrc=3) == [("8", 40), ("9", 100)]


def test_other_clocks(pure: ModuleType) -> None:
    assert Receiver(pure, 48_000).take(press(2, 0, 4_800, clock_hz=48_000)) == [("2", 100)]


def test_events_that_are_no_digits_are_let_go(pure: ModuleType) -> None:
    receiver = Receiver(pure)
    assert receiver.take(press(16, 0) + press(36, 9_000)) == []
    assert receiver.began == 0


def test_several_events_in_a_packet(pure: ModuleType) -> None:
    receiver = Receiver(pure)
    payload = b"".join(struct.pack("!BBH", event, END | 10 if event == 3 else 10, 400) for event in (1, 2, 3))
    assert receiver.take([(0, 0, True, payload)]) == [("1", 50), ("2", 50), ("3", 50)]


@pytest.mark.parametrize("size", [0, 1, 3, 5, 32])
def test_what_is_no_event_is_refused(pure: ModuleType, size: int) -> None:
    header = pure.ffi.new("struct rtp_header *", {"payload_bytes": size})
    state, told = pure.ffi.new("struct dtmf_receiver *"), pure.ffi.new("struct dtmf_told *")
    octets = pure.ffi.new("uint8_t[]", size + 1)
    assert pure.lib.dtmf_take(state, header, octets, CLOCK_HZ, 1, told) == errno.EBADMSG
    assert told.ended_count == 0 and not told.began


def test_no_digit_is_refused(pure: ModuleType) -> None:
    for wrong in (b"E", b"x", b"\0"):
        assert pure.lib.dtmf_sender_begin(pure.ffi.new("struct dtmf_sender *"), wrong, 800) == errno.EINVAL
        assert pure.lib.inband_tones(wrong, pure.ffi.new("double[2]")) == errno.EINVAL
