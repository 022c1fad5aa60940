"""Tariffs and rates as values: which rate of a tariff is in force for a number at a moment (domain 3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from webcb import number
from webcb.billing.formula import Intervals
from webcb.billing.pricing import OffPeak, OffPeakWhen, Pricing


@dataclass(frozen=True, slots=True)
class Tariff:
    """What all rates of a tariff share; `off_peak_period` is the text of its periods, one a line, "" where it has none."""

    id: int
    name: str
    currency: str
    off_peak_period: str = ""
    off_peak_when: OffPeakWhen = "starts"
    free_seconds: int = 0
    connect_fee_micros: int = 0
    post_call_surcharge_ppm: int = 0
    decimals: int = 5
    login_fee_micros: int = 0
    blocked: bool = False  # no call by it begins, and those that go on end

    def __hash__(self) -> int:
        return hash((self.id, self.name))  # looked up for every leg: what tells most of them apart is enough


@dataclass(frozen=True, slots=True)
class Rate:
    """A price for a prefix from a moment on; `off_peak` where it has peak and off-peak prices apart.

    `category`, `preference` and `huntstop` are the route data of a vendor's rate.
    """

    tariff_id: int
    prefix: str
    effective_at: datetime
    intervals: Intervals
    off_peak: Intervals | None = None
    formula: str = ""
    forbidden: bool = False
    discontinued: bool = False
    category: int = 1
    preference: int = 5
    huntstop: bool = False

    def __hash__(self) -> int:
        return hash((self.tariff_id, self.prefix, self.effective_at))


def rate_in_force(rates: Iterable[Rate], tariff_id: int, digits: str, at: datetime) -> Rate | None:
    """The rate of the tariff for a number: newest effective at `at`, longest prefix first, the wildcard last.

    A discontinued rate is as if it were absent: a shorter prefix serves its numbers from then on. A forbidden one is
    found, and it is the caller who refuses.
    """
    matching = [
        rate
        for rate in rates
        if rate.tariff_id == tariff_id
        and rate.effective_at <= at
        and (rate.prefix == number.WILDCARD or digits.startswith(rate.prefix))
    ]
    if len(matching) == 1:
        return None if matching[0].discontinued else matching[0]
    # The wildcard is shorter than any prefix, and of one prefix the newest stands first.
    matching.sort(key=lambda rate: (rate.prefix != number.WILDCARD, len(rate.prefix), rate.effective_at), reverse=True)
    superseded = ""
    for rate in matching:
        if rate.prefix != superseded and not rate.discontinued:
            return rate
        superseded = rate.prefix
    return None


@lru_cache(maxsize=4096)
def pricing(tariff: Tariff, rate: Rate, access_code: str, time_zone: str) -> Pricing:
    """What a leg is charged by under this rate; `time_zone` is whose clocks the off-peak period means.

    Of the same terms the same value, which has its stairs computed once.
    """
    off_peak = None
    if tariff.off_peak_period and rate.off_peak is not None:
        off_peak = OffPeak(rate.off_peak, tariff.off_peak_period, time_zone, tariff.off_peak_when)
    return Pricing(
        intervals=rate.intervals,
        off_peak=off_peak,
        formula=rate.formula,
        free_seconds=tariff.free_seconds,
        connect_fee_micros=tariff.connect_fee_micros,
        post_call_surcharge_ppm=tariff.post_call_surcharge_ppm,
        login_fee_micros=tariff.login_fee_micros,
        decimals=tariff.decimals,
        currency=tariff.currency,
        tariff_name=tariff.name,
        tariff_id=tariff.id,
        access_code=access_code,
        destination=rate.prefix,
    )
