"""Who tries passwords has to wait: the tries that failed, by name and by source, for operators, account owners and vouchers."""

from datetime import datetime, timedelta
from typing import Final

from flask import request

from webcb import db
from webcb.models import SignIn

WINDOW: Final = timedelta(minutes=15)
FAILURES_OF_NAME_MAX: Final = 5
FAILURES_OF_SOURCE_MAX: Final = 20
KEPT: Final = timedelta(days=90)
NAME_LENGTH_MAX: Final = 64


def is_closed(name: str, at: datetime) -> bool:
    """Whether too many tries under this name, or from where the request comes, failed lately; the same for a name that is none."""
    failed = SignIn.select().where((SignIn.at > at - WINDOW) & SignIn.failed)
    name = name[:NAME_LENGTH_MAX]
    # Somebody who succeeded since has proved himself: what failed before does not count against the name.
    last = SignIn.select(SignIn.at).where((SignIn.login == name) & ~SignIn.failed).order_by(SignIn.at.desc()).first()
    of_name = failed.where(SignIn.login == name)
    if last is not None:
        of_name = of_name.where(SignIn.at > last.at)
    of_source = failed.where(SignIn.source == source())
    return bool(of_name.count() >= FAILURES_OF_NAME_MAX or of_source.count() >= FAILURES_OF_SOURCE_MAX)


def note(name: str, at: datetime, *, failed: bool) -> None:
    """Remember a try."""
    with db.writing():
        SignIn.create(at=at, login=name[:NAME_LENGTH_MAX], source=source(), failed=failed)
        SignIn.delete().where(SignIn.at < at - KEPT).execute()  # type: ignore[misc]


def source() -> str:
    """Where the request comes from."""
    return (request.remote_addr or "")[:64]
