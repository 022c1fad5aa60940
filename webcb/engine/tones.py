"""Tones as people of each country know them: ringback, busy, congestion, warning, special information. Pure.

Frequencies and cadences are those of ITU-T E.180 and its supplement 2. Generating a tone is the bridge's work; here is only what it
sounds like.
"""

from typing import Final, NamedTuple


class Cadence(NamedTuple):
    """A repeated tone: its frequencies sounded together, and milliseconds on, off, on, off."""

    frequencies_hz: tuple[int, ...]
    cadence_ms: tuple[int, ...]


DEFAULT: Final = Cadence((425,), (1000, 4000))  # E.180's recommendation, used by most of the world

_NORTH_AMERICA: Final = Cadence((440, 480), (2000, 4000))
_BRITISH: Final = Cadence((400, 450), (400, 200, 400, 2000))
_FIVE_SECONDS: Final = Cadence((425,), (1000, 5000))

_BY_COUNTRY: Final = {
    "AR": Cadence((425,), (1000, 4500)),
    "AT": Cadence((420,), (1000, 5000)),
    "AU": Cadence((413, 438), (400, 200, 400, 2000)),
    "BE": Cadence((425,), (1000, 3000)),
    "BR": DEFAULT,
    "CA": _NORTH_AMERICA,
    "CH": DEFAULT,
    "CL": Cadence((400,), (1000, 3000)),
    "CN": Cadence((450,), (1000, 4000)),
    "CZ": DEFAULT,
    "DE": DEFAULT,
    "DO": _NORTH_AMERICA,
    "ES": Cadence((425,), (1500, 3000)),
    "FI": DEFAULT,
    "FR": Cadence((440,), (1500, 3500)),
    "GB": _BRITISH,
    "GR": DEFAULT,
    "HK": Cadence((440, 480), (400, 200, 400, 3000)),
    "HU": Cadence((425,), (1250, 3750)),
    "IE": _BRITISH,
    "IL": Cadence((400,), (1000, 3000)),
    "IT": DEFAULT,
    "JM": _NORTH_AMERICA,
    "KR": Cadence((440, 480), (1000, 2000)),
    "MX": DEFAULT,
    "NL": DEFAULT,
    "NO": DEFAULT,
    "NZ": _BRITISH,
    "PL": DEFAULT,
    "PR": _NORTH_AMERICA,
    "PT": _FIVE_SECONDS,
    "RU": Cadence((425,), (800, 3200)),
    "SE": _FIVE_SECONDS,
    "TR": Cadence((450,), (2000, 4000)),
    "US": _NORTH_AMERICA,
    "VE": DEFAULT,
}


def ringback(country: str) -> Cadence:
    """The ringback of a country (ISO 3166 alpha-2); the recommended one where the country has no other."""
    return _BY_COUNTRY.get(country, DEFAULT)


BUSY: Final = Cadence((425,), (500, 500))  # E.180: a period of 300 to 1,100 ms, as long on as off
CONGESTION: Final = Cadence((425,), (200, 200))

_AMERICAN_BUSY: Final = Cadence((480, 620), (500, 500))
_AMERICAN_CONGESTION: Final = Cadence((480, 620), (250, 250))
_BRITISH_BUSY: Final = Cadence((400,), (375, 375))
_BRITISH_CONGESTION: Final = Cadence((400,), (400, 350, 225, 525))

# The number is engaged; no way is free. Where a country has both alike, it is in both.
_BUSY_BY_COUNTRY: Final = {
    "AR": Cadence((425,), (300, 200)),
    "AT": Cadence((420,), (400, 400)),
    "AU": Cadence((425,), (375, 375)),
    "BR": Cadence((425,), (250, 250)),
    "CA": _AMERICAN_BUSY,
    "CL": Cadence((400,), (500, 500)),
    "CN": Cadence((450,), (350, 350)),
    "CZ": Cadence((425,), (330, 330)),
    "DE": Cadence((425,), (480, 480)),
    "DO": _AMERICAN_BUSY,
    "ES": Cadence((425,), (200, 200)),
    "FI": Cadence((425,), (300, 300)),
    "FR": Cadence((440,), (500, 500)),
    "GB": _BRITISH_BUSY,
    "GR": Cadence((425,), (300, 300)),
    "HK": _AMERICAN_BUSY,
    "HU": Cadence((425,), (300, 300)),
    "IE": _BRITISH_BUSY,
    "IL": Cadence((400,), (500, 500)),
    "JM": _AMERICAN_BUSY,
    "KR": _AMERICAN_BUSY,
    "MX": Cadence((425,), (250, 250)),
    "NZ": Cadence((400,), (500, 500)),
    "PR": _AMERICAN_BUSY,
    "RU": Cadence((425,), (350, 350)),
    "SE": Cadence((425,), (250, 250)),
    "TR": Cadence((450,), (500, 500)),
    "US": _AMERICAN_BUSY,
}
_CONGESTION_BY_COUNTRY: Final = {
    "AR": Cadence((425,), (200, 300)),
    "AT": Cadence((420,), (200, 200)),
    "AU": Cadence((425,), (375, 375)),
    "BE": Cadence((425,), (167, 167)),
    "BR": Cadence((425,), (250, 250, 750, 250)),
    "CA": _AMERICAN_CONGESTION,
    "CL": Cadence((400,), (200, 200)),
    "CN": Cadence((450,), (700, 700)),
    "CZ": Cadence((425,), (165, 165)),
    "DE": Cadence((425,), (240, 240)),
    "DO": _AMERICAN_CONGESTION,
    "ES": Cadence((425,), (200, 200, 200, 200, 200, 600)),
    "FR": Cadence((440,), (250, 250)),
    "GB": _BRITISH_CONGESTION,
    "HK": _AMERICAN_CONGESTION,
    "HU": Cadence((425,), (300, 300)),
    "IE": _BRITISH_CONGESTION,
    "IL": Cadence((400,), (250, 250)),
    "JM": _AMERICAN_CONGESTION,
    "KR": Cadence((480, 620), (300, 200)),
    "MX": Cadence((425,), (250, 250)),
    "NL": Cadence((425,), (250, 250)),
    "NZ": Cadence((400,), (250, 250)),
    "PL": Cadence((425,), (500, 500)),
    "PR": _AMERICAN_CONGESTION,
    "RU": Cadence((425,), (175, 350)),
    "SE": Cadence((425,), (250, 750)),
    "TR": Cadence((450,), (200, 200, 200, 200, 200, 200, 600, 200)),
    "US": _AMERICAN_CONGESTION,
    "VE": Cadence((425,), (250, 250)),
}

# Something is about to happen to the call that you are in: the same everywhere, for no country's people know it as another tone.
WARNING: Final = Cadence((1400,), (200, 200))
# Three tones one after the other, each on for 330 ms, then a second of silence (E.180, 5.7): the call cannot be put through.
SPECIAL_INFORMATION: Final = ((950, 330), (1400, 330), (1800, 330))
SPECIAL_INFORMATION_PAUSE_MS: Final = 1000


def busy(country: str) -> Cadence:
    """What a country (ISO 3166 alpha-2) plays when the number is engaged."""
    return _BUSY_BY_COUNTRY.get(country, BUSY)


def congestion(country: str) -> Cadence:
    """What a country plays when there is no way to the number."""
    return _CONGESTION_BY_COUNTRY.get(country, CONGESTION)
