"""Pricing: everything a leg is charged by, frozen when the leg is authorized, and its JSON on the row of the leg.

A change of a tariff while a call goes on does not touch the call. What a call costs by it is computed in rating.py.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import orjson

from webcb import money
from webcb.billing import formula, period, stairs
from webcb.billing.formula import Disconnect, Element, Intervals, Run
from webcb.billing.stairs import Stairs, Terms

_SECOND = timedelta(seconds=1)

_OF_THE_CALL = frozenset({"answered_at", "logged_in"})

OffPeakWhen = Literal["starts", "finishes", "starts and finishes"]


@dataclass(frozen=True, slots=True)
class OffPeak:
    """The rate's off-peak intervals, the period they hold in, the zone of its clocks, and what of the session must lie in it."""

    intervals: Intervals
    period: str
    time_zone: str
    when: OffPeakWhen = "starts"

    def contains(self, instant: datetime) -> bool:
        """Whether the instant is off-peak by the clocks of the zone."""
        return period.parse(self.period).contains(instant, ZoneInfo(self.time_zone))


@dataclass(frozen=True)
class Pricing:
    """How one leg is charged (domain 3): intervals in seconds, prices in micros per minute, amounts in micros.

    `answered_at` is None until the leg is answered; so long, an off-peak rate counts as the dearer of its two. The login fee
    is charged where the user has `logged_in` by voice during the leg.
    """

    intervals: Intervals
    off_peak: OffPeak | None = None
    formula: str = ""
    free_seconds: int = 0
    connect_fee_micros: int = 0
    post_call_surcharge_ppm: int = 0
    login_fee_micros: int = 0
    decimals: int = 5
    currency: str = "USD"
    tariff_name: str = ""
    tariff_id: int | None = None
    access_code: str = ""
    destination: str = ""
    answered_at: datetime | None = None
    logged_in: bool = False

    def answered(self, at: datetime) -> "Pricing":
        """The pricing of this leg now that it is known when it was answered."""
        return self if self.off_peak is None else replace(self, answered_at=at)

    def with_login(self) -> "Pricing":
        """The pricing of this leg now that a user has logged in by voice on it; the fee is charged once."""
        return replace(self, logged_in=True)

    def off_peak_in_force(self, used_seconds: int) -> bool | None:
        """Whether a session of `used_seconds` is off-peak; None where it is not answered and could be either."""
        if self.off_peak is None:
            return False
        if self.answered_at is None:
            return None
        if self.off_peak.when != "finishes" and not self._starts_off_peak:
            return False
        return self.off_peak.when == "starts" or self.off_peak.contains(
            self.answered_at + timedelta(seconds=used_seconds)
        )

    def stretches(self, seconds_max: int) -> list[tuple[int, tuple[Stairs, ...]]]:
        """The stairs a leg climbs up to `seconds_max`: from which used second on, and which; of several, the dearest counts.

        Within a stretch a charge never falls. The first begins with second 1.
        """
        if self.off_peak is None:
            return [(1, (self.peak_stairs,))]
        if self.answered_at is None:
            return [(1, (self.peak_stairs, self.off_peak_stairs))]
        is_off_peak = bool(self.off_peak_in_force(1))
        found: list[tuple[int, tuple[Stairs, ...]]] = [
            (1, (self.off_peak_stairs if is_off_peak else self.peak_stairs,))
        ]
        if self.off_peak.when != "starts" and (self.off_peak.when == "finishes" or self._starts_off_peak):
            start, end = self.answered_at + _SECOND, self.answered_at + timedelta(seconds=seconds_max)
            zone = ZoneInfo(self.off_peak.time_zone)
            for instant in period.parse(self.off_peak.period).changes(start, end, zone):
                is_off_peak = not is_off_peak
                second = -((self.answered_at - instant) // _SECOND)
                found.append((second, (self.off_peak_stairs if is_off_peak else self.peak_stairs,)))
        return found

    def stairs_in_force(self, used_seconds: int) -> tuple[Stairs, ...]:
        """The stairs of a session of `used_seconds`; of two, the dearer counts."""
        is_off_peak = self.off_peak_in_force(used_seconds)
        if is_off_peak is None:
            return self.peak_stairs, self.off_peak_stairs
        return (self.off_peak_stairs if is_off_peak else self.peak_stairs,)

    @cached_property
    def peak_stairs(self) -> Stairs:
        """The stairs at the ordinary rate."""
        return stairs.build(self.plan(off_peak=False), self._terms)

    @cached_property
    def off_peak_stairs(self) -> Stairs:
        """The stairs at the off-peak rate, where there is one."""
        return stairs.build(self.plan(off_peak=True), self._terms)

    @cached_property
    def _terms(self) -> Terms:
        login_fee_micros = self.login_fee_micros if self.logged_in else 0
        return Terms(
            self.free_seconds, self.connect_fee_micros, self.post_call_surcharge_ppm, self.decimals, login_fee_micros
        )

    @cached_property
    def _starts_off_peak(self) -> bool:
        return self.off_peak is not None and self.answered_at is not None and self.off_peak.contains(self.answered_at)

    def plan(self, *, off_peak: bool) -> tuple[Element, ...]:
        """The elements a call is walked through at its peak or off-peak rate."""
        return self._off_peak_plan if off_peak and self.off_peak else self._peak_plan

    @cached_property
    def _peak_plan(self) -> tuple[Element, ...]:
        return formula.plan(self.formula, self.intervals)

    @cached_property
    def _off_peak_plan(self) -> tuple[Element, ...]:
        return formula.plan(self.formula, self.off_peak.intervals if self.off_peak else self.intervals)

    @cached_property
    def seconds_max(self) -> int | None:
        """The longest call in seconds, where the formula disconnects; else None."""
        limits = []
        for off_peak in (False, True):
            plan = self.plan(off_peak=off_peak)
            if isinstance(plan[-1], Disconnect):
                limits.append(sum((run.count or 0) * run.seconds for run in plan if isinstance(run, Run)))
        return self.free_seconds + min(limits) if limits else None

    @property
    def price_per_minute_micros(self) -> int:
        """The price to show: of the last interval, off-peak where that is certain."""
        runs = [element for element in self.plan(off_peak=bool(self.off_peak_in_force(0))) if isinstance(element, Run)]
        return runs[-1].price_micros

    @cached_property
    def exact(self) -> "Pricing":
        """The same without a rounding that could be avoided, for comparing: to the micro."""
        return replace(self, decimals=money.DECIMALS_MAX)

    def as_json(self) -> str:
        """The text kept on the row of the leg: what was agreed before the call, not what happened in it."""
        return self._json

    @cached_property
    def _json(self) -> str:
        return orjson.dumps(_plain(self), default=_plain, option=orjson.OPT_PASSTHROUGH_DATACLASS).decode()

    @classmethod
    @lru_cache(maxsize=4096)
    def from_json(cls, text: str) -> "Pricing":
        """The pricing written by `as_json`."""
        plain = orjson.loads(text)
        plain["intervals"] = Intervals(**plain["intervals"])
        if plain["off_peak"] is not None:
            off_peak = plain["off_peak"]
            plain["off_peak"] = OffPeak(**off_peak | {"intervals": Intervals(**off_peak["intervals"])})
        return cls(**plain)


def _plain(value: Pricing | OffPeak | Intervals) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value) if field.name not in _OF_THE_CALL}
