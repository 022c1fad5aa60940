"""How amounts, durations, instants and numbers are written on a page: the Jinja filters, and the only place that does it.

Pure but for the reader's language. What an amount is, and how it is rounded, is `webcb.money`;
this file adds the currency and the words.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

from webcb.money import Micros, format_amount
from webcb.number import display_number
from webcb.web import languages
from webcb.web.languages import gettext

# Keeps an amount and its currency, a number and its unit, on one line.
NO_BREAK = "\u00a0"


AMOUNT_DECIMALS_MIN = 2


def money(micros: Micros, currency: str, decimals_min: int = AMOUNT_DECIMALS_MIN) -> str:
    """An amount with its currency, exact: 110000, "USD" -> 0.11 USD."""
    number = languages.decimal(format_amount(micros, decimals_min=decimals_min))
    if micros < 0:
        number = languages.isolated(number)  # else the sign stands behind the number where it is written from the right
    return f"{number}{NO_BREAK}{currency}"


def decimals_of(amounts: Iterable[Micros]) -> int:
    """The decimals with which amounts stand one below the other and none of them is rounded."""
    needed = (len(format_amount(micros).partition(".")[2]) for micros in amounts)
    return max(needed, default=AMOUNT_DECIMALS_MIN)


def clock_face(seconds: int) -> str:
    """A running or measured duration: 42 -> 0:42, 3661 -> 1:01:01."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def in_words(seconds: int) -> str:
    """A promised duration, without parts that are nought: 760 -> 12 min 40 s, 7200 -> 2 h."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    units = ((hours, gettext("h")), (minutes, gettext("min")), (rest, gettext("s")))
    parts = [f"{count}{NO_BREAK}{unit}" for count, unit in units if count]
    return " ".join(parts) or f"0{NO_BREAK}{units[-1][1]}"


def local_time(at: datetime, time_zone: str) -> str:
    """An instant in the zone of who looks (domain 2), the zone named: 22 Nov 2026, 10:42 (America/Sao_Paulo)."""
    local = at.astimezone(_zone(time_zone))
    return f"{languages.instant(local)} ({local.tzinfo})"


def clock_time(at: datetime, time_zone: str) -> str:
    """The same without the zone, for lists that name it once: 22 Nov 2026, 10:42."""
    return languages.instant(at.astimezone(_zone(time_zone)))


def day(of: date) -> str:
    """A day as the reader writes it: 22 Nov 2026."""
    return languages.day(of)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # a zone that was renamed away must not hide the page
        return UTC


FILTERS: dict[str, Callable[..., str]] = {
    "money": money,
    "clock_face": clock_face,
    "in_words": in_words,
    "day": day,
    "local_time": local_time,
    "clock_time": clock_time,
    "telephone": display_number,
}
