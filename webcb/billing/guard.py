"""Guards: what speaks against a callback beside account, price and funds (domain 9). Pure; what is counted, tally.py counts.

The limits are those of the voice application. Of a number's kind and of prefixes both legs are judged, of quiet hours and of
how often somebody is called leg A, of blocks of numbers that are called one after another leg B.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from zoneinfo import ZoneInfo

from webcb.billing import period
from webcb.number import Kind, time_zones

# Dear by nature and the usual target of fraud: barred unless the application allows them.
BARRED_KINDS = frozenset({Kind.PREMIUM, Kind.SHARED_COST, Kind.PERSONAL, Kind.SATELLITE})
PREFIXES_LENGTH_MAX = 1000
NETWORKS_LENGTH_MAX = 1000
UNPROVEN = frozenset({"simple", "hosted"})  # kinds that ask for no password
OPENING_LOOKED_FOR = timedelta(days=60)
OPERATOR = "cli"  # the source of what an operator asks for: it is he who sets the limits
BLOCK_DIGITS = (
    3  # numbers that differ in these last digits only are one block: fraud on revenue shares calls through them
)


@dataclass(frozen=True, slots=True)
class Guards:
    """What a voice application allows. Prefixes are E.164 digits, comma between; None is no limit.

    `allowed_prefixes` "" allows every destination; `quiet_hours` is "22-7", first hour and the hour at which they end, or "".
    `allowed_networks`, `needs_link` and `challenge_bits` are for the kinds that ask for no password (UNPROVEN). `prove_a` says for
    which callbacks A is proven by a code: "never", those "without password", "always"; what was proven is for `proof_days`.
    """

    allowed_prefixes: str = ""
    barred_prefixes: str = ""
    quiet_hours: str = ""
    asks_per_minute: int | None = None
    asks_per_minute_account: int | None = 30
    asks_per_minute_a: int | None = 10
    asks_per_minute_b: int | None = 20
    asks_per_minute_block: int | None = 30
    asks_per_minute_source: int | None = 60
    concurrent_max: int | None = None
    concurrent_per_a: int | None = 3
    concurrent_per_b: int | None = 10
    concurrent_per_block: int | None = 30
    concurrent_per_source: int | None = 30
    daily_spend_max_micros: int | None = None
    daily_spend_max_a_micros: int | None = None
    daily_spend_max_b_micros: int | None = None
    daily_spend_max_block_micros: int | None = None
    daily_spend_max_source_micros: int | None = None
    allowed_networks: str = ""
    needs_link: bool = False
    challenge_bits: int | None = None
    prove_a: str = "never"
    code_paid_by: str = "account"
    proof_days: int = 90

    @property
    def is_capped(self) -> bool:
        """Whether anything that may be spent in a day has a limit."""
        limits = (
            self.daily_spend_max_micros,
            self.daily_spend_max_a_micros,
            self.daily_spend_max_b_micros,
            self.daily_spend_max_block_micros,
            self.daily_spend_max_source_micros,
        )
        return any(most is not None for most in limits)


DEFAULTS = Guards()


@lru_cache(maxsize=256)
def read_prefixes(text: str) -> tuple[str, ...]:
    """The prefixes of a list as it is typed, `55 11, 1900`; raises ValueError with what would be right."""
    found = tuple("".join(each.split()).removeprefix("+") for each in text.split(",") if each.strip())
    if not all(each.isascii() and each.isdigit() and len(each) <= 15 for each in found):
        raise ValueError("write prefixes with country code, comma between, as in 55, 1206")
    return found


def allows(guards: Guards, digits: str) -> bool:
    """Whether a number may be called from here; of an allowed and a barred prefix that both match, the longer one holds."""
    if not guards.allowed_prefixes and not guards.barred_prefixes:
        return True
    allowed = _longest(guards.allowed_prefixes, digits)
    barred = _longest(guards.barred_prefixes, digits)
    if guards.allowed_prefixes and allowed is None:
        return False
    return barred is None or (allowed is not None and len(allowed) > len(barred))


def _longest(prefixes: str, digits: str) -> str | None:
    return max((each for each in read_prefixes(prefixes) if digits.startswith(each)), key=len, default=None)


def read_quiet_hours(text: str) -> tuple[int, int]:
    """The two hours of `22-7`; raises ValueError with what would be right."""
    first, dash, end = (part.strip() for part in text.partition("-"))
    hours = [int(each) for each in (first, end) if each.isascii() and each.isdigit() and int(each) <= 24]
    if not dash or len(hours) != 2 or hours[0] == hours[1] or hours[0] == 24:
        raise ValueError("write two hours of the day, as in 22-7")
    return hours[0], hours[1]


def is_quiet(guards: Guards, digits: str, at: datetime) -> bool:
    """Whether it is night where this number is: in most of the zones it may be in, for a mobile of a wide country has several."""
    if not guards.quiet_hours:
        return False
    first, end = read_quiet_hours(guards.quiet_hours)
    hours = [at.astimezone(ZoneInfo(zone)).hour for zone in time_zones(digits)]
    quiet = sum((first <= hour < end) if first < end else (hour >= first or hour < end) for hour in hours)
    return 2 * quiet > len(hours)


def is_open(opening_hours: str, time_zone: str, at: datetime) -> bool:
    """Whether it is one of the opening hours, a period of period.py by the clocks of a zone; "" is always."""
    return not opening_hours or period.parse(opening_hours).contains(at, ZoneInfo(time_zone))


def opens_at(opening_hours: str, time_zone: str, at: datetime) -> datetime | None:
    """When it opens next; None where it does not within OPENING_LOOKED_FOR."""
    return next(period.parse(opening_hours).changes(at, at + OPENING_LOOKED_FOR, ZoneInfo(time_zone)), None)


def block(digits: str) -> str:
    """The block of numbers a number is in."""
    return digits[:-BLOCK_DIGITS]


def source_network(source: str) -> str:
    """Whom a source address counts as: itself, of IPv6 its /64, for who has one address there has all of them."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


@lru_cache(maxsize=256)
def read_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of a list as it is typed, `192.0.2.0/24, 2001:db8::/32`; raises ValueError with what would be right."""
    try:
        return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError:
        raise ValueError("write networks, comma between, as in 192.0.2.0/24, 2001:db8::/32") from None


def needs_proof(guards: Guards, kind: str) -> bool:
    """Whether who asks for a callback of this kind must prove to be at the phone of A."""
    return guards.prove_a == "always" or (guards.prove_a == "without password" and kind in UNPROVEN)


def is_from_allowed(guards: Guards, source: str) -> bool:
    """Whether a callback of an unproven kind may be asked for from this address."""
    if not guards.allowed_networks:
        return True
    try:
        address = ip_address(source)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in read_networks(guards.allowed_networks))
