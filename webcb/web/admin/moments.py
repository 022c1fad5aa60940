"""A moment as it is typed: by hand or from the calendar, in a time zone that is chosen beside it; until then in that of who looks."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from wtforms import SelectField, StringField

from webcb.web.admin import signing
from webcb.web.forms import add_error


def own_zone() -> str:
    """The time zone of who looks."""
    user = signing.current()
    return "UTC" if user is None else str(user.time_zone)


def moment_field(label: str) -> StringField:
    """The moment itself; the form has `zone_field` under the same name and `_zone`."""
    return StringField(label, render_kw={"type": "datetime-local"})


def zone_field() -> SelectField:
    """In which zone a moment is meant."""
    return SelectField("Time zone", choices=sorted(available_timezones()), default=own_zone)


def moment(form: Any, name: str) -> datetime | None:
    """What was typed; None where nothing was, or where it is none, which then is said beside it."""
    field, zone = form[name], form[f"{name}_zone"]
    text = (field.data or "").strip()
    if zone.data not in available_timezones():
        zone.errors = zone.errors or ["Not a valid choice."]
        return None
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone.data)).astimezone(UTC)
    except (ValueError, OverflowError):
        add_error(field, "Write a date and a time, as in 2026-12-31 18:00.")
        return None
