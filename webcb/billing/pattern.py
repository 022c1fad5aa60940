"""Unusual patterns: an hour of calls held against what is usual. Pure; webcb/clerk/patrol.py reads the calls and keeps what is found.

Of an account, a number, a destination, a source address four things are unusual: far more calls in an hour than in its own busiest
hours of the last weeks, far higher charges, many answered calls that end at once (what lures people into calling back, or
sells minutes by their connect fee), and at night calls to a country that nobody called for weeks, or to premium numbers.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median_high
from typing import Final, Literal
from zoneinfo import ZoneInfo

from webcb.money import format_amount

WINDOW: Final = timedelta(hours=1)
WEEKS: Final = timedelta(days=28)  # of which the usual is told
REST: Final = timedelta(
    days=1
)  # before now, which is not part of it: what goes wrong since last night makes nothing usual
KNOWN_AFTER: Final = timedelta(days=7)  # before that, every country is new
SHORT_SHARE_PERCENT: Final = 80
NIGHT_CALLS_MIN: Final = 3  # to a country that is new

Kind = Literal["account", "number A", "number B", "destination", "source"]
Pattern = Literal["many calls", "high charges", "short calls", "night calls"]
PATTERNS: Final[tuple[Pattern, ...]] = ("many calls", "high charges", "short calls", "night calls")
Subject = tuple[str, str]  # what it is, and which; of a country at night ("country", "CU")


@dataclass(frozen=True, slots=True)
class Limits:
    """What an application takes for unusual. None or "" leaves that out; `night` is "0-6", by the clocks of `zone`."""

    factor: int | None = 5
    calls: int = 30
    charges_micros: int = 50_000_000
    short_seconds: int | None = 10
    night: str = "0-6"
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Call:
    """One callback to one B. `talked_seconds` is None while it goes on, 0 where B did not answer; charges are by leg."""

    account: str
    number_a: str
    number_b: str
    source: str
    destination: str  # the prefix of B
    country: str  # of B, "" where nobody knows
    is_premium: bool
    talked_seconds: int | None
    charged_a_micros: int
    charged_b_micros: int
    currency: str

    def charged_micros(self, kind: str) -> int:
        """What of its charges is a subject's: a number's those of its leg, an account's and a source's those of both."""
        a = 0 if kind in ("number B", "destination", "country") else self.charged_a_micros
        return a + (0 if kind == "number A" else self.charged_b_micros)

    def subjects(self) -> Iterator[Subject]:
        """Whose call it is, in every sense."""
        for kind, which in (("account", self.account), ("number A", self.number_a), ("number B", self.number_b),
                            ("destination", self.destination), ("source", self.source)):  # fmt: skip
            if which:
                yield kind, which


@dataclass(slots=True)
class Sums:
    """What the calls of a subject come to."""

    calls: int = 0
    answered: int = 0
    short: int = 0
    seconds: int = 0
    charges: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    numbers: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)

    def add(self, kind: str, call: Call, short_seconds: int | None) -> None:
        """Count one more."""
        self.calls += 1
        if call.talked_seconds:
            self.answered += 1
            self.seconds += call.talked_seconds
            self.short += short_seconds is not None and call.talked_seconds <= short_seconds
        self.charges[call.currency] += call.charged_micros(kind)
        self.numbers.add(call.number_b)
        self.accounts.add(call.account)
        self.sources.add(call.source)

    def facts(self) -> dict[str, object]:
        """As they are kept with an alarm."""
        return {
            "calls": self.calls,
            "answered": self.answered,
            "short": self.short,
            "seconds": self.seconds,
            "charges": {currency: micros for currency, micros in sorted(self.charges.items()) if micros},
            "numbers": len(self.numbers),
            "accounts": len(self.accounts),
            "sources": len(self.sources),
        }


@dataclass(frozen=True, slots=True)
class Usual:
    """The busiest hour of a usual day: its calls, and its charges by currency. Of whom nobody has heard it is nothing."""

    calls: int = 0
    charges: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hour:
    """What one hour of the past came to: `at` any moment of it."""

    at: datetime
    calls: int
    charges: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something unusual. `seen` and `usual` are calls, of high charges micros of `currency`."""

    pattern: Pattern
    subject: Subject
    seen: int
    usual: int
    currency: str
    facts: Mapping[str, object]


def usual_of(hours: Iterable[Hour]) -> Usual:
    """What is usual after these hours: of the busiest hour of each day that had calls the median, the higher one of two."""
    calls: dict[date, int] = defaultdict(int)
    charges: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for hour in hours:
        day = hour.at.date()
        calls[day] = max(calls[day], hour.calls)
        for currency, micros in hour.charges.items():
            charges[currency][day] = max(charges[currency][day], micros)
    if not calls:
        return Usual()
    return Usual(median_high(calls.values()), {name: median_high(days.values()) for name, days in charges.items()})


def summed(calls: Iterable[Call], limits: Limits) -> dict[Subject, Sums]:
    """The calls by every subject that has so many, or such charges, that its past is worth a look.

    `calls` is gone through twice: of most subjects no more is kept than numbers. A large service has a hundred thousand in an hour.
    """
    counts: Counter[Subject] = Counter()
    charges: Counter[tuple[Subject, str]] = Counter()
    for call in calls:
        for subject in call.subjects():
            counts[subject] += 1
            charges[subject, call.currency] += call.charged_micros(subject[0])
    standing_out = {subject for subject, count in counts.items() if count >= limits.calls}
    standing_out |= {subject for (subject, _), micros in charges.items() if micros >= limits.charges_micros}
    sums: dict[Subject, Sums] = defaultdict(Sums)
    for call in calls if standing_out else ():
        for subject in call.subjects():
            if subject in standing_out:
                sums[subject].add(subject[0], call, limits.short_seconds)
    return dict(sums)


def found(sums: Mapping[Subject, Sums], usual: Mapping[Subject, Usual], limits: Limits) -> Iterator[Finding]:
    """What is unusual of them; a subject without a `usual` is new. At a factor of None nothing is."""
    if limits.factor is None:
        return
    for subject, each in sums.items():
        before = usual.get(subject, Usual())
        if each.calls >= max(limits.calls, limits.factor * before.calls):
            yield Finding("many calls", subject, each.calls, before.calls, "", each.facts())
        for currency, micros in each.charges.items():
            earlier = before.charges.get(currency, 0)
            if micros and micros >= max(limits.charges_micros, limits.factor * earlier):
                yield Finding("high charges", subject, micros, earlier, currency, each.facts())
        if each.short >= limits.calls and 100 * each.short >= SHORT_SHARE_PERCENT * each.answered:
            yield Finding("short calls", subject, each.short, 0, "", each.facts())


def is_night(night: str, zone: str, at: datetime) -> bool:
    """Whether it is one of the hours of `0-6` there; the first is part of it, the last is not."""
    if not night:
        return False
    first, _, end = night.partition("-")
    hour, begins, ends = at.astimezone(ZoneInfo(zone)).hour, int(first), int(end)
    return begins <= hour < ends if begins < ends else hour >= begins or hour < ends


def found_at_night(
    calls: Iterable[Call], known_countries: Collection[str] | None, limits: Limits, at: datetime
) -> Iterator[Finding]:
    """Calls at night to premium numbers, one is enough, and to countries that are not known; None: nothing is old enough to tell."""
    if limits.factor is None or not is_night(limits.night, limits.zone, at):
        return
    sums: dict[Subject, Sums] = defaultdict(Sums)
    for call in calls:
        if call.is_premium:
            sums["number B", call.number_b].add("number B", call, limits.short_seconds)
        elif known_countries is not None and call.country and call.country not in known_countries:
            sums["country", call.country].add("country", call, limits.short_seconds)
    for subject, each in sums.items():
        if subject[0] == "number B" or each.calls >= NIGHT_CALLS_MIN:
            yield Finding("night calls", subject, each.calls, 0, "", each.facts())


# Words ---------------------------------------------------------------------------------------------------------------


def headline(pattern: str, kind: str, subject: str, seen: int, currency: str, *, money: bool) -> str:
    """An alarm in one line; `subject` as who reads it may see it."""
    whose = {"number A": f"to {subject} as A", "number B": f"to {subject}", "destination": f"to numbers of {subject}",
             "country": f"to country {subject}", "source": f"asked for from {subject}"}.get(kind, f"of {kind} {subject}")  # fmt: skip
    if pattern == "high charges":
        amount = f"{format_amount(seen)} {currency}" if money else "high charges"
        return f"Unusual: {amount} within an hour for calls {whose}"
    what = {"many calls": "calls within an hour", "short calls": "calls within an hour that ended at once"}
    premium = "premium calls" if kind == "number B" else "calls"
    return f"Unusual: {seen} {what.get(pattern, f'{premium} at night')} {whose}"


def _counted(count: object, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def evidence(pattern: str, facts: Mapping[str, object], usual: int, currency: str, *, money: bool) -> str:
    """What speaks for it, in sentences."""
    said = [f"{_counted(facts['calls'], 'call')}, {facts['answered']} answered, {facts['seconds']} s talked"]
    numbers = _counted(facts["numbers"], "number called", "numbers called")
    sources = _counted(facts["sources"], "source address", "source addresses")
    said.append(f"{numbers}, {_counted(facts['accounts'], 'account')}, {sources}")
    charges = facts["charges"]
    if money and isinstance(charges, dict) and charges:
        said.append("charged " + ", ".join(f"{format_amount(micros)} {name}" for name, micros in charges.items()))
    if pattern == "short calls":
        said.append(f"{facts['short']} of the answered ones were short")
    elif pattern == "night calls":
        said.append("nobody called there in the last four weeks, or it is a premium number")
    elif not usual:
        said.append("nothing is known of it from the last four weeks")
    elif pattern == "many calls":
        said.append(f"the busiest hour of a usual day has {usual}")
    elif money:
        said.append(f"the busiest hour of a usual day has {format_amount(usual)} {currency}")
    return ". ".join(each[:1].upper() + each[1:] for each in said) + "."
