"""Ringback as people of each country know it: frequencies and cadence (ITU-T E.180, supplement 2). Pure.

Generating the tone is the bridge's work; here is only what it sounds like.
"""

from typing import Final, NamedTuple


class Ringback(NamedTuple):
    """A repeated tone: its frequencies sounded together, and milliseconds on, off, on, off."""

    frequencies_hz: tuple[int, ...]
    cadence_ms: tuple[int, ...]


DEFAULT: Final = Ringback((425,), (1000, 4000))  # E.180's recommendation, used by most of the world

_NORTH_AMERICA: Final = Ringback((440, 480), (2000, 4000))
_BRITISH: Final = Ringback((400, 450), (400, 200, 400, 2000))
_FIVE_SECONDS: Final = Ringback((425,), (1000, 5000))

_BY_COUNTRY: Final = {
    "AR": Ringback((425,), (1000, 4500)),
    "AT": Ringback((420,), (1000, 5000)),
    "AU": Ringback((413, 438), (400, 200, 400, 2000)),
    "BE": Ringback((425,), (1000, 3000)),
    "BR": DEFAULT,
    "CA": _NORTH_AMERICA,
    "CH": DEFAULT,
    "CL": Ringback((400,), (1000, 3000)),
    "CN": Ringback((450,), (1000, 4000)),
    "CZ": DEFAULT,
    "DE": DEFAULT,
    "DO": _NORTH_AMERICA,
    "ES": Ringback((425,), (1500, 3000)),
    "FI": DEFAULT,
    "FR": Ringback((440,), (1500, 3500)),
    "GB": _BRITISH,
    "GR": DEFAULT,
    "HK": Ringback((440, 480), (400, 200, 400, 3000)),
    "HU": Ringback((425,), (1250, 3750)),
    "IE": _BRITISH,
    "IL": Ringback((400,), (1000, 3000)),
    "IT": DEFAULT,
    "JM": _NORTH_AMERICA,
    "KR": Ringback((440, 480), (1000, 2000)),
    "MX": DEFAULT,
    "NL": DEFAULT,
    "NO": DEFAULT,
    "NZ": _BRITISH,
    "PL": DEFAULT,
    "PR": _NORTH_AMERICA,
    "PT": _FIVE_SECONDS,
    "RU": Ringback((425,), (800, 3200)),
    "SE": _FIVE_SECONDS,
    "TR": Ringback((450,), (2000, 4000)),
    "US": _NORTH_AMERICA,
    "VE": DEFAULT,
}


def ringback(country: str) -> Ringback:
    """The ringback of a country (ISO 3166 alpha-2); the recommended one where the country has no other."""
    return _BY_COUNTRY.get(country, DEFAULT)
