"""Off-peak periods: their text, whether an instant lies in one, and when that changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webcb.billing import period
from webcb.billing.formula import Intervals
from webcb.billing.period import PeriodError
from webcb.billing.pricing import OffPeak, Pricing

SAO_PAULO = ZoneInfo("America/Sao_Paulo")  # UTC-3, no summer time since 2019
NEW_YORK = ZoneInfo("America/New_York")
KOLKATA = ZoneInfo("Asia/Kolkata")  # UTC+5:30
ZULU = ZoneInfo("UTC")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant", "zone", "inside"),
    [
        # 2 March 2026 is a Monday.
        ("hr{6pm-5am}", "2026-03-02 18:00", ZULU, True),
        ("hr{6pm-5am}", "2026-03-02 17:59:59", ZULU, False),
        ("hr{6pm-5am}", "2026-03-02 05:59:59", ZULU, True),  # 5am runs to 05:59:59
        ("hr{6pm-5am}", "2026-03-02 06:00", ZULU, False),
        ("hr{18-5}", "2026-03-02 00:30", ZULU, True),
        ("hr{12am}", "2026-03-02 00:30", ZULU, True),
        ("hr{12pm}", "2026-03-02 12:30", ZULU, True),
        ("hr{6pm-5am} wd{mo-fr}", "2026-03-02 19:00", ZULU, True),
        ("hr{6pm-5am} wd{mo-fr}", "2026-03-01 19:00", ZULU, False),  # Sunday
        ("wd{1}", "2026-03-01 19:00", ZULU, True),  # 1 is Sunday
        ("wd{sa-su}", "2026-03-01 19:00", ZULU, True),
        ("wd{fr-mo}", "2026-03-02 19:00", ZULU, True),
        ("wd{fr-mo}", "2026-03-03 19:00", ZULU, False),
        ("hr{6pm-5am} wd{mo-fr}, md{1 24-26} mo{dec}", "2026-12-25 12:00", ZULU, True),
        ("hr{6pm-5am} wd{mo-fr}, md{1 24-26} mo{dec}", "2026-12-23 12:00", ZULU, False),
        ("MD{1} MO{Jan 12}", "2026-12-01 12:00", ZULU, True),
        ("hr{9} min{30-59}", "2026-03-02 09:29:59", ZULU, False),
        ("hr{9} min{30-59}", "2026-03-02 09:30", ZULU, True),
        ("hr{9} hr{11}", "2026-03-02 11:30", ZULU, True),  # a scale said twice: either
        ("hr{6pm-5am}", "2026-03-02 21:00", SAO_PAULO, True),  # 18:00 there
        ("hr{6pm-5am}", "2026-03-02 20:59", SAO_PAULO, False),
        ("wd{su}", "2026-03-02 02:59", SAO_PAULO, True),  # still Sunday there
    ],
)
def test_whether_an_instant_lies_in_it(text, instant, zone, inside):
    assert period.parse(text).contains(at(instant), zone) is inside


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a definition is missing"),
        ("hr{6pm-5am},", "a definition is missing"),
        ("6pm-5am", "write hr, min, wd, md, mo"),
        ("hr{6pm-5am", "write hr, min, wd, md, mo"),
        ("hr 6pm", "write hr, min, wd, md, mo"),
        ("yr{2026}", "write hr, min, wd, md, mo"),
        ("hr{}", "hr{} is empty"),
        ("hr{24}", "'24' in hr{}: write 0 to 23 or 12am"),
        ("hr{13pm}", "'13pm' in hr{}"),
        ("wd{0}", "write 1 to 7 or su, mo"),
        ("md{32}", "write 1 to 31"),
        ("mo{13}", "write 1 to 12 or jan"),
        ("hr{6pm-}", "'' in hr{}"),
        ("hr{²}", "'²' in hr{}"),
        ("hr{1}," * 33, "at most 32 definitions"),
        ("h" * 1001, "at most 1000 characters"),
    ],
)
def test_what_is_no_period_is_said_with_what_would_be_right(text, said):
    with pytest.raises(PeriodError) as wrong:
        period.parse(text)
    assert said in str(wrong.value)


@settings(max_examples=300)
@given(st.text(alphabet="hrwdmoin{}-, 0123456789apms", max_size=40))
def test_any_text_is_a_period_or_a_period_error(text):
    try:
        period.parse(text)
    except PeriodError:
        return


@pytest.mark.parametrize(
    ("text", "start", "hours", "zone", "changes"),
    [
        ("hr{6pm-5am}", "2026-03-02 17:00", 24, ZULU, ["2026-03-02 18:00", "2026-03-03 06:00"]),
        ("hr{6pm-5am}", "2026-03-02 17:59:59.999999", 1, ZULU, ["2026-03-02 18:00"]),
        ("hr{6pm-5am}", "2026-03-02 18:00", 1, ZULU, []),
        ("hr{18}", "2026-03-02 12:00", 3, KOLKATA, ["2026-03-02 12:30", "2026-03-02 13:30"]),
        ("hr{9} min{30-59}", "2026-03-02 09:10", 1, ZULU, ["2026-03-02 09:30", "2026-03-02 10:00"]),
        # Clocks go forward at 02:00 on 8 March 2026 in New York: 01:59:59 is followed by 03:00 (07:00 UTC).
        ("hr{3}", "2026-03-08 06:30", 3, NEW_YORK, ["2026-03-08 07:00", "2026-03-08 08:00"]),
        # And back at 02:00 on 1 November: 01:00 to 01:59:59 comes twice, 05:00 to 07:00 UTC.
        ("hr{1}", "2026-11-01 04:30", 4, NEW_YORK, ["2026-11-01 05:00", "2026-11-01 07:00"]),
    ],
)
def test_when_it_changes(text, start, hours, zone, changes):
    found = period.parse(text).changes(at(start), at(start) + timedelta(hours=hours), zone)
    assert list(found) == [at(change) for change in changes]


@settings(max_examples=100)
@given(
    hours=st.frozensets(st.integers(0, 23), min_size=1, max_size=6),
    minutes=st.sampled_from(["", " min{0-29}", " min{5-9 31}", " min{50-10}, hr{0-23} min{59} wd{mo-we}"]),
    start=st.integers(0, 366 * 1440),
    zone=st.sampled_from([ZULU, SAO_PAULO, NEW_YORK, KOLKATA, ZoneInfo("Australia/Lord_Howe")]),
)
def test_the_changes_are_those_found_by_looking_every_minute(hours, minutes, start, zone):
    parsed = period.parse(f"hr{{{' '.join(map(str, hours))}}}{minutes}")
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    moments = [begin + timedelta(minutes=minute) for minute in range(8 * 60 + 1)]
    inside = [parsed.contains(moment, zone) for moment in moments]
    seen = [moments[n] for n in range(1, len(moments)) if inside[n] != inside[n - 1]]
    assert list(parsed.changes(begin, moments[-1], zone)) == seen


@pytest.mark.parametrize(
    ("when", "answered", "used_seconds", "off_peak"),
    [
        ("starts", "2026-03-02 17:59:59", 3600, False),
        ("starts", "2026-03-02 18:00:00", 1, True),
        ("starts", "2026-03-03 05:59:59", 3600, True),
        ("finishes", "2026-03-02 17:59:00", 59, False),
        ("finishes", "2026-03-02 17:59:00", 60, True),
        ("starts and finishes", "2026-03-02 17:59:00", 60, False),
        ("starts and finishes", "2026-03-03 05:59:00", 59, True),
        ("starts and finishes", "2026-03-03 05:59:00", 60, False),
    ],
)
def test_a_session_has_one_rate_by_what_of_it_lies_in_the_period(when, answered, used_seconds, off_peak):
    intervals = Intervals(1, 1, 0, 0)
    pricing = Pricing(intervals, OffPeak(intervals, "hr{6pm-5am}", "UTC", when))
    assert pricing.off_peak_in_force(used_seconds) is None  # not answered: either
    assert pricing.answered(at(answered)).off_peak_in_force(used_seconds) is off_peak
