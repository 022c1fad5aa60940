"""The tables: ringback by country, endings by status, what may be tried again."""

from collections.abc import Callable

import pytest

from rtpbridge.playing import TONE_CADENCE_MAX
from webcb.engine import causes, tones
from webcb.engine.causes import Ending

# Country: frequencies, milliseconds on, off ... (ITU-T E.180, supplement 2)
RINGBACKS = {
    "BR": ((425,), (1000, 4000)),
    "US": ((440, 480), (2000, 4000)),
    "GB": ((400, 450), (400, 200, 400, 2000)),
    "DE": ((425,), (1000, 4000)),
    "FR": ((440,), (1500, 3500)),
    "ES": ((425,), (1500, 3000)),
    "PT": ((425,), (1000, 5000)),
    "RU": ((425,), (800, 3200)),
    "AQ": ((425,), (1000, 4000)),
    "": ((425,), (1000, 4000)),
}


@pytest.mark.parametrize("country", RINGBACKS)
def test_ringback(country: str) -> None:
    assert tones.ringback(country) == RINGBACKS[country]


# Country: busy, congestion
ENGAGED = {
    "US": (((480, 620), (500, 500)), ((480, 620), (250, 250))),
    "GB": (((400,), (375, 375)), ((400,), (400, 350, 225, 525))),
    "DE": (((425,), (480, 480)), ((425,), (240, 240))),
    "FR": (((440,), (500, 500)), ((440,), (250, 250))),
    "ES": (((425,), (200, 200)), ((425,), (200, 200, 200, 200, 200, 600))),
    "BR": (((425,), (250, 250)), ((425,), (250, 250, 750, 250))),
    "RU": (((425,), (350, 350)), ((425,), (175, 350))),
    "AQ": (((425,), (500, 500)), ((425,), (200, 200))),
}


@pytest.mark.parametrize("country", ENGAGED)
def test_busy_and_congestion(country: str) -> None:
    assert (tones.busy(country), tones.congestion(country)) == ENGAGED[country]


@pytest.mark.parametrize("of", [tones.ringback, tones.busy, tones.congestion])
def test_every_tone_can_be_played(of: Callable[[str], tones.Cadence]) -> None:
    for country in ("", *tones._BY_COUNTRY, *tones._BUSY_BY_COUNTRY, *tones._CONGESTION_BY_COUNTRY):
        frequencies_hz, cadence_ms = of(country)
        assert all(300 <= frequency <= 3400 for frequency in frequencies_hz)
        assert len(cadence_ms) % 2 == 0
        assert len(cadence_ms) <= TONE_CADENCE_MAX
        assert 1 <= len(frequencies_hz) <= 2


def test_busy_and_ringback_are_never_mistaken() -> None:
    """A country of which one is known has the other too, and what is engaged is quicker."""
    for country in tones._BY_COUNTRY:
        assert sum(tones.busy(country).cadence_ms) < sum(tones.ringback(country).cadence_ms)
    assert {*tones._BUSY_BY_COUNTRY, *tones._CONGESTION_BY_COUNTRY} <= set(tones._BY_COUNTRY)


def test_the_special_information_tone_is_within_its_limits() -> None:
    """E.180, 5.7: 950, 1400 and 1800 Hz, 50 to either side, each 330 ms, 70 to either side."""
    for (frequency_hz, on_ms), nominal_hz in zip(tones.SPECIAL_INFORMATION, (950, 1400, 1800), strict=True):
        assert abs(frequency_hz - nominal_hz) <= 50 and abs(on_ms - 330) <= 70
    assert 750 <= tones.SPECIAL_INFORMATION_PAUSE_MS <= 1250


@pytest.mark.parametrize(
    ("status", "rang", "ending"),
    [
        (486, True, Ending.B_BUSY),
        (600, False, Ending.B_BUSY),
        (480, True, Ending.B_NO_ANSWER),
        (480, False, Ending.B_UNREACHABLE),
        (408, False, Ending.B_UNREACHABLE),
        (487, True, Ending.B_NO_ANSWER),
        (403, False, Ending.B_REFUSED),
        (603, True, Ending.B_REFUSED),
        (488, False, Ending.B_REFUSED),
        (404, False, Ending.B_UNREACHABLE),
        (503, False, Ending.B_UNREACHABLE),
        (0, False, Ending.B_UNREACHABLE),
    ],
)
def test_leg_ending(status: int, rang: bool, ending: Ending) -> None:
    assert causes.leg_ending("B", status, rang) == ending
    assert causes.leg_ending("A", status, rang) == ending.replace("B", "A", 1)


def test_every_status_has_an_ending_and_one_way_to_go_on() -> None:
    for status in range(300, 700):
        assert causes.leg_ending("A", status, rang=True) in set(Ending)
        assert causes.may_fail_over(status) in (True, False)
