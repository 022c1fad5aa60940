"""The desk a command works at: the settings, the database opened, numbers and names read as people type them."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from webcb.number import Number
    from webcb.settings import Settings

MADE_BY_MAX = 64


@contextmanager
def opened() -> "Iterator[Settings]":
    """The installation's settings with its database open; refuses where there is no installation, and makes nothing."""
    from webcb import db
    from webcb import settings as reader
    from webcb.billing import credentials

    settings = reader.load(make_missing=False)
    path = sqlite_path(settings.database)
    if path is not None and not path.exists():
        raise click.ClickException(
            f"there is no database at {path}; run `webcb init`, or start where webcb.toml is, or set WEBCB_DATA_DIR"
        )
    database = db.connect(settings.database)
    try:
        version = db.version()
        if version != (newest := db.newest_version()):
            had = f"has schema version {version}, this program needs {newest}" if version else "has no tables"
            raise click.ClickException(f"the database {had}; run `webcb {'migrate' if version else 'init'}`")
        if settings.secret_key:
            credentials.use_key(settings.secret_key)
        yield settings
    finally:
        database.close()


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite URL; None for a database server."""
    from webcb.db import file_of

    return file_of(url) if url.startswith("sqlite://") else None


def who() -> str:
    """Who gives the command, for the audit and the ledger: the login of the operating system."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return f"cli:{name}"[:MADE_BY_MAX]


def application(typed: str) -> Any:
    """The row of a voice application by its path or its name."""
    from webcb.models import VoiceApplication
    from webcb.provisioning.fields import near

    rows = {row.path: row for row in VoiceApplication.select()}
    row = rows.get(typed) or next((each for each in rows.values() if each.name == typed), None)
    if not rows:
        raise click.ClickException(
            "there is no voice application yet; `webcb apply FILE` makes what the file describes"
        )
    if row is None:
        names = [name for each in rows.values() for name in (each.path, each.name)]
        raise click.ClickException(f"there is no voice application {typed!r}{near(typed, names)}")
    return row


def named(table: Any, noun: str, typed: str) -> Any:
    """The row of a table by its name."""
    from webcb.provisioning.fields import near

    row = table.get_or_none(table.name == typed)
    if row is None:
        names = [each.name for each in table.select(table.name)]
        raise click.ClickException(f"there is no {noun} {typed!r}{near(typed, names)}")
    return row


def account(typed: str) -> Any:
    """The row of an account by its ID."""
    from webcb.models import Account

    row = Account.get_or_none(Account.login == typed)
    if row is None:
        raise click.ClickException(f"there is no account {typed!r}; `webcb accounts` lists them")
    return row


def amount(typed: str, whose: str) -> int:
    """An amount in micros; `whose` is the option it was given as."""
    from webcb.money import AmountError, parse_amount

    try:
        return parse_amount(typed)
    except AmountError as wrong:
        raise click.BadParameter(str(wrong), param_hint=whose) from None


def zone(typed: str, whose: str) -> str:
    """The name of a time zone."""
    from zoneinfo import available_timezones

    from webcb.provisioning.fields import near

    names = sorted(available_timezones())
    if typed not in names:
        raise click.BadParameter(f"{typed!r} is no time zone{near(typed, names)}", param_hint=whose)
    return typed


def mail_address(typed: str) -> str:
    """An e-mail address, or nothing."""
    from email_validator import EmailNotValidError, validate_email

    if not typed:
        return ""
    try:
        return validate_email(typed, check_deliverability=False).normalized
    except EmailNotValidError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--mail-to") from None


def telephone(typed: str, default_country: str, whose: str) -> "Number":
    """A number as people write it; `whose` is the argument it was given as."""
    from webcb.number import NumberError, parse_number

    try:
        return parse_number(typed, default_country)
    except NumberError as wrong:
        raise click.BadParameter(str(wrong), param_hint=whose) from None
