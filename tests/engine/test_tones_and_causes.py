"""The tables: ringback by country, endings by status, what may be tried again."""

import pytest

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


def test_every_tone_can_be_played() -> None:
    for country in tones._BY_COUNTRY:
        frequencies_hz, cadence_ms = tones.ringback(country)
        assert all(300 <= frequency <= 3400 for frequency in frequencies_hz)
        assert len(cadence_ms) % 2 == 0
        assert 1 <= len(frequencies_hz) <= 2


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
