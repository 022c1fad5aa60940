"""The patrol: every few minutes the calls of the last hour are held against what is usual; what is not becomes an alarm, once a day.

What is usual of whom is asked of the xDRs once a day and kept: it does not change faster. What pattern.py calls unusual is found
among what has ended and what goes on.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from webcb import db
from webcb.billing import guard, pattern, query
from webcb.billing.pattern import REST, WEEKS, WINDOW, Call, Finding, Hour, Limits, Subject, Usual
from webcb.billing.query import Row, marks, micros
from webcb.models import Unusual, VoiceApplication
from webcb.number import NumberError, parse_number

log = logging.getLogger("webcb.clerk")

EVERY: Final = timedelta(minutes=5)
QUIET_AFTER: Final = timedelta(days=1)  # the same of the same is not found again before
ASKED_AT_ONCE: Final = 200  # subjects of a question
HOUR_MICROS: Final = 3_600_000_000

READ_AT_A_TIME: Final = 500  # legs: an hour of a large service has some hundred thousand

# Callbacks that ended within the hour: a row for each leg. Those that go on count with what is locked for them.
_ENDED: Final = """
    SELECT xdr.callback_id, xdr.leg, xdr.cld, xdr.destination, xdr.used_quantity AS used, xdr.charged_micros AS charged, xdr.currency,
           account.login, callback.requested_from AS source
      FROM xdr JOIN callback ON callback.id = xdr.callback_id JOIN account ON account.id = xdr.account_id
     WHERE xdr.bill_time > ? AND xdr.bill_time <= ? AND xdr.kind = 'charge' AND callback.voice_application_id = ?
     ORDER BY xdr.callback_id, xdr.id
"""
_COLUMNS: Final = ("callback_id", "leg", "cld", "destination", "used", "charged", "currency", "login", "source")
_OPEN: Final = """
    SELECT callback.id AS callback_id, leg.name AS leg, leg.cld, '' AS destination, NULL AS used,
           CASE WHEN leg.name = 'A' THEN COALESCE(lock.amount_micros, 0) ELSE 0 END AS charged, wallet.currency,
           account.login, callback.requested_from AS source
      FROM callback JOIN leg ON leg.callback_id = callback.id JOIN account ON account.id = callback.account_id
      JOIN wallet ON wallet.id = account.wallet_id LEFT JOIN lock ON lock.callback_id = callback.id AND lock.state = 'held'
     WHERE callback.state <> 'ended' AND callback.requested_at > ? AND callback.voice_application_id = ?
"""
# What the hours of the past were: by the subject's own column, one row for an hour and a currency.
_HOURS: Final = """
    SELECT {column} AS subject, xdr.bill_time / {hour} AS hour, xdr.currency, COUNT(DISTINCT xdr.callback_id) AS calls,
           SUM(xdr.charged_micros) AS charged
      FROM xdr {joins}
     WHERE {column} IN ({given}) AND xdr.bill_time > ? AND xdr.bill_time <= ? AND xdr.kind = 'charge'{more}
     GROUP BY {column}, xdr.bill_time / {hour}, xdr.currency
"""
_PAST: Final[dict[str, dict[str, str]]] = {
    "account": {"column": "account.login", "joins": "JOIN account ON account.id = xdr.account_id", "more": ""},
    "number A": {"column": "xdr.cld", "joins": "", "more": " AND xdr.leg = 'A'"},
    "number B": {"column": "xdr.cld", "joins": "", "more": " AND xdr.leg <> 'A'"},
    "destination": {"column": "xdr.destination", "joins": "", "more": " AND xdr.leg <> 'A'"},
    "source": {
        "column": "callback.requested_from",
        "joins": "JOIN callback ON callback.id = xdr.callback_id",
        "more": "",
    },
}


class Patrol:
    """Goes round when it is time to, and remembers until midnight what is usual."""

    def __init__(self) -> None:
        self._due_at: datetime | None = None
        self._usual: dict[Subject, Usual] = {}
        self._countries: set[str] | None = None
        self._day: date | None = None

    def go(self, at: datetime) -> int:
        """Look at the last hour of every application, unless that was a moment ago; returns how many alarms were raised."""
        if self._due_at is not None and at < self._due_at:
            return 0
        self._due_at = at + EVERY
        if self._day != at.date():
            self._usual, self._countries, self._day = {}, None, at.date()
        watched = list(VoiceApplication.select().where(VoiceApplication.unusual_factor.is_null(False)))
        countries = _countries() if watched else {}
        return sum(self._look(application, countries, at) for application in watched)

    def _look(self, application: Any, countries: dict[str, str], at: datetime) -> int:
        limits = Limits(
            application.unusual_factor,
            application.unusual_calls,
            application.unusual_charges_micros,
            application.unusual_short_seconds,
            application.unusual_night,
            application.time_zone,
        )
        with db.reading():
            sums = pattern.summed(_LastHour(application.id, countries, at), limits)
        self._learn(sums, at)
        findings = list(pattern.found(sums, self._usual, limits))
        if pattern.is_night(limits.night, limits.zone, at):
            known = self._known_countries(at)
            with db.reading():
                calls = _LastHour(application.id, countries, at, at_night=True)
                findings += pattern.found_at_night(calls, known, limits, at)
        return _kept(application, findings, at)

    def _learn(self, subjects: Iterable[Subject], at: datetime) -> None:
        """What is usual of subjects that were not asked for today."""
        new: dict[str, list[str]] = defaultdict(list)
        for kind, which in subjects:
            if (kind, which) not in self._usual:
                new[kind].append(which)
        for kind, names in new.items():
            for first in range(0, len(names), ASKED_AT_ONCE):
                some = names[first : first + ASKED_AT_ONCE]
                hours = _hours(kind, some, at)
                self._usual.update({(kind, name): pattern.usual_of(hours.get(name, ())) for name in some})

    def _known_countries(self, at: datetime) -> set[str] | None:
        """The countries that were called in the weeks before this hour; None where there are no such weeks yet."""
        if self._countries is None:
            first = query.values("SELECT MIN(bill_time) FROM xdr")[0]
            if first is None or first > micros(at - pattern.KNOWN_AFTER):
                return None
            by_prefix = _countries()
            called = query.rows(
                "SELECT DISTINCT destination FROM xdr WHERE bill_time > ? AND bill_time <= ? AND leg <> 'A'",
                micros(at - WEEKS),
                micros(at - WINDOW),
            )
            self._countries = {by_prefix.get(each["destination"], "") for each in called}
        return self._countries


@dataclass(frozen=True, slots=True)
class _LastHour:
    """An application's calls of the last hour, read one by one as often as they are gone through, in the transaction that is open.

    Which are premium ones is looked at where it is night.
    """

    application_id: int
    countries: dict[str, str]
    at: datetime
    at_night: bool = False

    def __iter__(self) -> Iterator[Call]:
        now, begun = micros(self.at), micros(self.at - WINDOW)
        going_on: dict[str, list[Row]] = defaultdict(list)
        for leg in query.rows(_OPEN, begun, self.application_id):
            going_on[leg["callback_id"]].append(leg)
        ended = query.stream(_ENDED, begun, now, self.application_id, at_a_time=READ_AT_A_TIME)
        for callback_id, legs in groupby(ended, itemgetter(0)):
            of_callback = [dict(zip(_COLUMNS, leg, strict=True)) for leg in legs]
            yield from _of_callback(of_callback + going_on.pop(callback_id, []), self.countries, self.at_night)
        for of_callback in going_on.values():
            yield from _of_callback(of_callback, self.countries, self.at_night)


def _of_callback(legs: list[Row], countries: dict[str, str], at_night: bool) -> Iterator[Call]:
    """A call for each B; the first carries what A was charged. Of a callback whose B is not known there is none."""
    to_a = next((leg for leg in legs if leg["leg"] == "A"), None)
    charged_a = to_a["charged"] if to_a else 0
    for leg in legs:
        if leg["leg"] == "A":
            continue
        destination = leg["destination"] or _longest(leg["cld"], countries)
        yield Call(
            account=leg["login"],
            number_a=to_a["cld"] if to_a else "",
            number_b=leg["cld"],
            source="" if leg["source"] == "cli" else leg["source"],
            destination=destination,
            country=countries.get(destination, ""),
            is_premium=at_night and _is_premium(leg["cld"]),
            talked_seconds=leg["used"],
            charged_a_micros=charged_a,
            charged_b_micros=leg["charged"],
            currency=leg["currency"],
        )
        charged_a = 0


def _countries() -> dict[str, str]:
    return {row["prefix"]: row["country"] for row in query.rows("SELECT prefix, country FROM destination")}


def _longest(digits: str, countries: dict[str, str]) -> str:
    return next((digits[:size] for size in range(len(digits), 0, -1) if digits[:size] in countries), "|")


@lru_cache(maxsize=10_000)
def _is_premium(digits: str) -> bool:
    try:
        return parse_number(f"+{digits}", "US").kind in guard.BARRED_KINDS
    except NumberError:
        return False


def _hours(kind: str, names: Sequence[str], at: datetime) -> dict[str, list[Hour]]:
    sql = _HOURS.format(hour=HOUR_MICROS, given=marks(names), **_PAST[kind])
    sums: dict[tuple[str, int], tuple[int, dict[str, int]]] = {}
    for each in query.rows(sql, *names, micros(at - WEEKS - REST), micros(at - REST)):
        calls, charges = sums.get((each["subject"], each["hour"]), (0, {}))
        charges[each["currency"]] = int(each["charged"])
        sums[each["subject"], each["hour"]] = (calls + each["calls"], charges)
    found: dict[str, list[Hour]] = defaultdict(list)
    for (name, hour), (calls, charges) in sums.items():
        found[name].append(Hour(datetime.fromtimestamp(hour * 3600, UTC), calls, charges))
    return found


def _kept(application: Any, findings: Sequence[Finding], at: datetime) -> int:
    """Write down what was not found of late; returns how many that were."""
    kept = 0
    for each in findings:
        kind, subject = each.subject
        with db.writing():
            again = Unusual.select().where(
                (Unusual.at > at - QUIET_AFTER)
                & (Unusual.application == application.name)
                & (Unusual.pattern == each.pattern)
                & (Unusual.kind == kind)
                & (Unusual.subject == subject)
            )
            if again.exists():
                continue
            Unusual.create(
                at=at,
                application=application.name,
                pattern=each.pattern,
                kind=kind,
                subject=subject,
                seen=each.seen,
                usual=each.usual,
                currency=each.currency,
                facts=json.dumps(each.facts),
                mail_due_at=at,
            )
        kept += 1
        log.warning("unusual pattern at %s: %s of %s %s", application.name, each.pattern, kind, subject)
    return kept
