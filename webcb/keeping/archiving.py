"""Archiving: everything into a checked file, then the old leaves the tables in small steps (billing/archived.py).

The file is a backup like any other: an SQLite database that every command reads (`WEBCB_DATABASE_URL=sqlite:///FILE?mode=ro`).
Nothing leaves the tables that is not in the file, and nothing younger than KEPT_DAYS_MIN: what is asked for twice is known by its row.
"""

import hashlib
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from peewee import Database, fn

from webcb import db
from webcb.billing import archived
from webcb.keeping import backup
from webcb.keeping.copying import CopyProblem, Told
from webcb.models import Archive, Ledger, Xdr

KEPT_DAYS_MIN: Final = 31
READ_OCTETS: Final = 1 << 20


def begin(source: Database, file: Path, before: datetime, made_by: str, at: datetime, told: Told) -> Archive:
    """Write the file, and note that what is older than `before` may go; nothing has gone yet. Raises CopyProblem.

    `source` is the database that the models are bound to.
    """
    if at - before < timedelta(days=KEPT_DAYS_MIN):
        raise CopyProblem(f"what is younger than {KEPT_DAYS_MIN} days stays: refunds and repeated requests need it")
    if Archive.select().where(Archive.ended_at.is_null()).exists():
        raise CopyProblem("the archive before this one is not done; `webcb archive --resume` goes on with it")
    last_ledger, last_xdr = _last(Ledger), _last(Xdr)  # what comes meanwhile is in the file or not, and stays
    rows = backup.make(source, file, told)
    try:
        with db.writing():
            return Archive.create(
                before_at=before,
                made_at=at,
                made_by=made_by,
                file=str(file),
                sha256=digest(file),
                file_rows=rows,
                last_ledger_id=last_ledger,
                last_xdr_id=last_xdr,
            )
    except BaseException:
        file.unlink()  # nothing will go: it is no archive
        raise


def go_on(
    utc_now: Callable[[], datetime], keeps_on: Callable[[], bool], told: Callable[[archived.LetGo], None]
) -> bool:
    """Let go of what is noted, step by step, while `keeps_on`; whether nothing is left to do."""
    while keeps_on():
        gone = archived.let_go(utc_now())
        told(gone)
        if not gone:
            return True
    return False


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits, as sha256sum prints it."""
    made = hashlib.sha256()
    descriptor = os.open(file, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as read:
        while octets := read.read(READ_OCTETS):
            made.update(octets)
    return made.hexdigest()


def _last(table: type[Ledger] | type[Xdr]) -> int:
    return int(table.select(fn.COALESCE(fn.MAX(table.id), 0)).scalar())
