"""What became of a leg's packets, and what it is worth: against figures computed by hand from G.107, and with real legs."""

import random
import struct
import time
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import pytest

from rtpbridge import Bridge
from tests.rtpbridge.phone import Phone, Rtp, until, voice

NewPhone = Callable[[], Phone]
FRAME_NS = 20_000_000
LATE = 64
WINDOW_NS = 5_000_000_000


def note(pure: ModuleType, sequences: Iterable[int], quality: Any = None, ssrc: int = 1) -> Any:
    """A packet every 20 ms with these numbers."""
    quality = quality or pure.ffi.new("struct quality *")
    for sequence in sequences:
        header = pure.ffi.new("struct rtp_header *", {"sequence": sequence % 2**16, "ssrc": ssrc})
        pure.lib.quality_note(quality, header, False, quality.heard_ns + FRAME_NS)
    return quality


def test_every_packet_once_is_no_loss(pure: ModuleType) -> None:
    quality = note(pure, range(65_000, 67_000))
    assert quality.losses.packets == 2_000 - LATE
    assert (quality.losses.lost, quality.duplicates, quality.reordered, quality.silent_ns) == (0, 0, 0, 0)


def test_losses_apart_and_in_bursts(pure: ModuleType) -> None:
    """One alone; two that are 16 packets apart: alone too; then a burst of three and one of two that are 10 apart."""
    lost = {100, 200, 217, 400, 401, 402, 500, 511}
    quality = note(pure, (n for n in range(700) if n not in lost))
    losses = quality.losses
    assert (losses.lost, losses.burst_lost, losses.runs) == (8, 5, 6)


def test_late_is_not_lost_and_twice_is_told(pure: ModuleType) -> None:
    order = [*range(50), 51, 52, 50, 53, 53, *range(55, 100), 54, *range(100, 300), 299]
    quality = note(pure, order)
    assert (quality.losses.lost, quality.reordered, quality.duplicates) == (0, 2, 2)
    quality = note(pure, [*range(50), *range(51, 51 + LATE), 50, *range(51 + LATE, 300)])
    assert (quality.losses.lost, quality.reordered, quality.duplicates) == (1, 1, 0)


def test_any_order_within_what_is_late(pure: ModuleType) -> None:
    seeds = random.Random(3611)
    numbers = [(number, number + seeds.random() * 40) for number in range(1_000)]
    came = [number for number, _ in sorted(numbers, key=lambda one: one[1]) if number % 50 != 7]
    quality = note(pure, [*came, *range(1_000, 1_200)])
    assert quality.losses.lost == 20


def test_a_jump_is_another_stream_and_no_loss(pure: ModuleType) -> None:
    quality = note(pure, [*range(200), *range(30_000, 30_200)])
    assert quality.losses.lost == 0
    assert note(pure, range(900, 1_100), quality, ssrc=2).losses.lost == 0


def test_silence_is_what_nothing_explains(pure: ModuleType) -> None:
    def hear(quality: Any, sequence: int, now_ms: int, *, marker: bool = False, noise: bool = False) -> None:
        header = pure.ffi.new("struct rtp_header *", {"sequence": sequence, "marker": marker})
        pure.lib.quality_note(quality, header, noise, now_ms * 1_000_000)

    quality = pure.ffi.new("struct quality *")
    hear(quality, 1, 1_000)
    hear(quality, 2, 1_200)
    assert quality.silent_ns == 0
    hear(quality, 3, 2_000, marker=True)  # a new talkspurt
    hear(quality, 4, 2_020, noise=True)
    hear(quality, 5, 4_000)  # comfort noise stood before it
    assert (quality.silent_ns, quality.comfort_noise) == (0, 1)
    hear(quality, 6, 4_500)
    assert quality.silent_ns == 500_000_000


@pytest.mark.parametrize(
    ("loss_percent", "burst_ratio", "delay_ms", "score"),
    [  # R = 93.2 - 0.024 d - 0.11 (d - 177.3) - 95 p / (p / b + 25.1), then G.107, annex B
        (0, 1, 0, 4.41),
        (0, 1, 150, 4.34),
        (0, 1, 400, 3.05),
        (1, 1, 0, 4.33),
        (3, 1, 50, 4.09),
        (3, 2, 50, 4.06),
        (10, 1, 50, 3.35),
        (60, 1, 50, 1.37),
        (100, 8, 1_000, 1.0),
    ],
)
def test_scores_are_those_of_g107(
    pure: ModuleType, loss_percent: float, burst_ratio: float, delay_ms: float, score: float
) -> None:
    r = 93.2 - 0.024 * delay_ms - 0.11 * max(0, delay_ms - 177.3)
    r -= 95 * loss_percent / (loss_percent / burst_ratio + 25.1)
    by_hand = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6 if r > 0 else 1
    got = pure.lib.quality_score(pure.lib.VOICE_PCMU, loss_percent, burst_ratio, delay_ms)
    assert got == pytest.approx(max(1, by_hand), abs=0.001)
    assert got == pytest.approx(score, abs=0.06)
    assert pure.lib.quality_score(pure.lib.VOICE_NONE, loss_percent, burst_ratio, delay_ms) == 0


def test_a_window_has_a_score_of_its_own(pure: ModuleType) -> None:
    leg = pure.ffi.new("struct quality_leg *", {"voice": pure.lib.VOICE_PCMA, "far_sends": True})
    quality, history = pure.ffi.new("struct quality *"), pure.ffi.new("struct quality_history *")
    pure.lib.quality_time(quality, history, leg, 0)
    scores = []
    for window in range(1, 5):  # the second has losses
        begin = 250 * (window - 1)
        note(pure, (n for n in range(begin, begin + 250) if window != 2 or n % 4), quality)
        leg.received_packets += 250
        leg.sent_packets += 250
        pure.lib.quality_time(quality, history, leg, window * WINDOW_NS - 1)
        pure.lib.quality_time(quality, history, leg, window * WINDOW_NS + window)
        scores.append(quality.score)
    assert scores[0] > 4.3 and scores[1] < 3 and scores[3] == scores[0]
    assert quality.score_min == min(scores)
    assert quality.score_sum / quality.scores == pytest.approx(sum(scores) / 4)
    assert not quality.one_way
    leg.sent_packets += 250
    pure.lib.quality_time(quality, history, leg, 6 * WINDOW_NS)
    assert quality.one_way


def test_one_way_is_kept_of_a_window_that_was_joined_from_its_beginning(pure: ModuleType) -> None:
    """What was sent before was a tone of ours, which nobody need answer."""
    leg = pure.ffi.new("struct quality_leg *", {"far_sends": True, "joined": False})
    quality, history = pure.ffi.new("struct quality *"), pure.ffi.new("struct quality_history *")
    seen = []
    for window, joined in enumerate((False, False, True, True, False)):
        leg.joined = joined
        leg.sent_packets += 250
        pure.lib.quality_time(quality, history, leg, window * WINDOW_NS + 1)
        seen.append((quality.one_way, quality.was_one_way))
    assert seen == [(False, False), (True, False), (True, False), (True, True), (True, True)]


def history_of(pure: ModuleType, windows: int, worse: Callable[[int], bool]) -> Any:
    """What is kept after so many windows, of which those that are `worse` lose every fourth packet."""
    leg = pure.ffi.new("struct quality_leg *", {"voice": pure.lib.VOICE_PCMA, "far_sends": True})
    quality, history = pure.ffi.new("struct quality *"), pure.ffi.new("struct quality_history *")
    begins = 7_000_000_000
    pure.lib.quality_time(quality, history, leg, begins)
    for window in range(windows):
        quality.losses.packets += 250
        quality.losses.lost += 62 * worse(window)
        quality.losses.runs += 62 * worse(window)
        pure.lib.quality_time(quality, history, leg, begins + (window + 1) * WINDOW_NS + 19_000_000)
    assert history.begun_ns == begins
    return history


def test_scores_are_kept_in_order(pure: ModuleType) -> None:
    history = history_of(pure, 6, lambda window: window == 2)
    good, bad = 220, history.scores[2]  # 4.41 of a window without loss, G.107 with G.113's figures
    assert [history.scores[i] for i in range(history.count)] == [good, good, bad, good, good, good]
    assert 50 < bad < 150


def test_of_an_hour_and_more_two_scores_become_one(pure: ModuleType) -> None:
    most = pure.lib.QUALITY_SCORES_MAX
    history = history_of(pure, most, lambda window: window == 2)
    assert (history.span, history.count) == (1, most)
    bad = history.scores[2]
    history = history_of(pure, most + 3, lambda window: window in (2, most + 1))
    assert (history.span, history.count, history.open_windows) == (2, most // 2 + 1, 1)
    mean = (220 + bad + 1) // 2
    assert [history.scores[i] for i in (0, 1, 2, most // 2)] == [220, mean, 220, mean]
    history = history_of(pure, 9 * most, lambda _: False)
    assert (history.span, history.count) == (16, 9 * most // 16)
    assert set(history.scores[0 : history.count]) == {220}


def test_windows_that_nobody_judged_have_no_score(pure: ModuleType) -> None:
    leg = pure.ffi.new("struct quality_leg *", {"voice": pure.lib.VOICE_PCMA, "far_sends": True})
    quality, history = pure.ffi.new("struct quality *"), pure.ffi.new("struct quality_history *")
    pure.lib.quality_time(quality, history, leg, 1)
    for moment in (1, 4, 5):  # two windows passed unseen
        quality.losses.packets += 250
        pure.lib.quality_time(quality, history, leg, 1 + moment * WINDOW_NS)
    assert [history.scores[i] for i in range(history.count)] == [220, 220, 0, 0, 220]


def test_scores_of_a_port_that_nobody_speaks_to(bridge: Bridge, new_phone: NewPhone) -> None:
    port = new_phone().connected(bridge)
    found = port.scores()
    assert (found.begun_ns, found.fiftieths) == (0, b"")


def test_counters_of_a_leg(bridge: Bridge, new_phone: NewPhone) -> None:
    phone = new_phone()
    port = phone.connected(bridge, {"PCMU/8000": 0, "CN/8000": 13})
    said = [voice(n) for n in range(200) if n % 20]
    phone.say(port, *said, said[-1], voice(180), Rtp(b"\x40", 200, 32_000, payload_type=13))
    until(lambda: port.counters().received_packets == len(said) + 3)
    counters = port.counters()
    assert counters.lost_packets == 9 - 2  # one came late, and RFC 3550 lets one that came twice stand for another
    assert (counters.duplicate_packets, counters.reordered_packets, counters.comfort_noise_packets) == (1, 1, 1)
    assert (counters.one_way, counters.score, counters.round_trip_ms) == (False, 0, 0)


def test_comfort_noise_goes_on_to_who_has_it(bridge: Bridge, new_phone: NewPhone) -> None:
    a, b = new_phone(), new_phone()
    port_a = a.connected(bridge, {"PCMU/8000": 0, "CN/8000": 13})
    bridge.join(port_a, b.connected(bridge, {"PCMU/8000": 0, "CN/8000": 19}))
    a.say(port_a, voice(1), Rtp(b"\x40", 2, 320, payload_type=13))
    assert [(packet.payload_type, len(packet.payload)) for packet in b.hear(2)] == [(0, 160), (19, 1)]


def test_what_the_far_side_reports_of_our_stream(host: str, new_phone: NewPhone) -> None:
    """Its report comes 30 ms after ours, of which it says that it held it for 20."""
    with Bridge(host, 20_000, 20_999, report_ms=60) as bridge:
        a, b = new_phone(), new_phone()
        port_a, port_b = a.connected(bridge), b.connected(bridge)
        bridge.join(port_a, port_b)
        b.say(port_b, voice(1))
        a.say(port_a, voice(1))
        a.hear()
        ours = b""
        while ours[1:2] != b"\xc8":
            ours = a.rtcp.recv(2048)
        _head, ssrc, ntp_high, ntp_low = struct.unpack_from("!IIII", ours)
        middle = (ntp_high << 16 | ntp_low >> 16) & 0xFFFFFFFF
        time.sleep(0.03)
        block = struct.pack("!IIIIII", ssrc, 0x40 << 24 | 7, 5, 160, middle, 20 * 65_536 // 1_000)
        a.rtcp.sendto(struct.pack("!BBHI", 0x81, 201, 7, 9) + block, (host, port_a.rtp_port + 1))
        until(lambda: port_a.counters().received_rtcp == 1)
        counters = port_a.counters()
        assert (counters.far_lost_packets, counters.far_jitter_ms) == (7, 20)
        assert 10 <= counters.round_trip_ms < 2_000


def test_a_report_about_somebody_else_is_not_ours(pure: ModuleType) -> None:
    view = pure.ffi.new("struct rtcp_view *")

    def read(packet: bytes) -> None:
        pure.lib.rtcp_read_view(view, pure.ffi.new("uint8_t[]", list(packet)), len(packet), 77, 0x10000)

    block = struct.pack("!IIIIII", 78, 7, 5, 160, 0, 0)
    read(struct.pack("!BBHI", 0x81, 201, 7, 9) + block)
    assert not view.begun
    ours = struct.pack("!IIIIII", 77, 0xFFFFFF, 5, 160, 0x8000, 0x4000)
    read(struct.pack("!BBHI", 0x82, 200, 18, 9) + bytes(20) + block + ours)
    assert (view.begun, view.lost, view.jitter, view.round_trip) == (True, -1, 160, 0x4000)
    for size in range(76):
        read((struct.pack("!BBHI", 0x82, 200, 18, 9) + bytes(20) + block + ours)[:size])
