"""Forgetting beyond the tables: what was erased stays erased after a restore, in archives, and in the files of generated accounts.

The list of what was erased is of no number and no ID: keyed digests, which nobody reads without the installation's secret key. It is in
the tables, and in the data folder of every node, whose clerk copies what it lacks. A backup that is older than an erasure has no row of
it; so it is known what must be done again, on whatever host it was restored.
"""

import csv
import io
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from webcb import db
from webcb.billing import credentials, erasure, query
from webcb.billing.batch import CARDS
from webcb.billing.erasure import ERASED, Erased, ErasureProblem
from webcb.billing.query import micros, moment
from webcb.keeping import archiving
from webcb.models import Archive, Audit, Erasure

LIST: Final = "erased"

Kind = Literal["number", "account", "customer"]
_ERASE: Final = {
    "number": erasure.erase_number,
    "account": erasure.erase_account,
    "customer": erasure.erase_customer,
}

_NUMBERS: Final = """
    SELECT cli FROM leg UNION SELECT cld FROM leg UNION SELECT cli FROM xdr UNION SELECT cld FROM xdr
     UNION SELECT digits FROM trusted_number UNION SELECT digits FROM saved_destination
     UNION SELECT digits FROM phone_proof UNION SELECT number FROM never_call
"""
_WORDS: Final = {"number": _NUMBERS, "account": "SELECT login FROM account", "customer": "SELECT name FROM customer"}


@dataclass(frozen=True, slots=True)
class _Entry:
    """An erasure: when, of what kind, and the keyed digest of the number, ID or name."""

    at: int
    kind: Kind
    digest: str


def forget(kind: Kind, word: str, data_dir: Path, made_by: str, at: datetime) -> Erased:
    """Erase it in the tables and in the files of cards, and note that it was. Raises ErasureProblem, LookupError."""
    logins = _logins(kind, word)
    done = _ERASE[kind](word, made_by, at)
    for login in logins:
        forget_in_cards(data_dir, login)
    entry = _Entry(micros(at), kind, _digest(kind, word))
    with db.writing():
        _note_in_tables(entry)
    _note(data_dir, entry)
    return done


def _logins(kind: Kind, word: str) -> list[str]:
    if kind == "account":
        return [word]
    if kind == "customer":
        found = query.tuples(
            "SELECT login FROM account WHERE customer_id = (SELECT id FROM customer WHERE name = ?)", word
        )
        return [str(login) for (login,) in found]
    return []


def _digest(kind: Kind, word: str) -> str:
    return credentials.sign(f"erased {kind}", word)


def _note_in_tables(entry: _Entry) -> None:
    Erasure.create(at=moment(entry.at), kind=entry.kind, digest=entry.digest)


def _note(data_dir: Path, entry: _Entry) -> None:
    descriptor = os.open(data_dir / LIST, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a") as out:
        out.write(f"{entry.at} {entry.kind} {entry.digest}\n")
        out.flush()
        os.fsync(out.fileno())


def _in_tables() -> set[_Entry]:
    return {_Entry(*found) for found in query.tuples("SELECT at, kind, digest FROM erasure")}


def _noted(data_dir: Path) -> list[_Entry]:
    file = data_dir / LIST
    if not file.exists():
        return []
    parts = [line.split() for line in file.read_text().splitlines()]
    return [_Entry(int(at), kind, digest) for at, kind, digest in parts]  # type: ignore[arg-type]


# After a restore -----------------------------------------------------------------------------------------------------


def again(data_dir: Path, made_by: str) -> list[str]:
    """Erase what the list has and the tables know nothing of: they come from a backup made before. Returns what is left to do.

    Of an erasure that the tables do know nothing is done: who has called since has not asked for it.
    """
    known = _in_tables()
    left = []
    for entry in dict.fromkeys(each for each in _noted(data_dir) if each not in known):
        words = [str(word) for (word,) in query.tuples(_WORDS[entry.kind]) if word]
        found = next((word for word in words if _digest(entry.kind, word) == entry.digest), None)
        at = moment(entry.at)
        try:
            if found is not None:
                _ERASE[entry.kind](found, made_by, at)
        except ErasureProblem as wrong:
            left.append(f"a {entry.kind} erased at {at:%Y-%m-%d %H:%M} UTC: {wrong}; then `webcb erase --again`")
            continue
        with db.writing():
            if found is None:
                Audit.create(
                    at=at, made_by=made_by, action="erase", subject=ERASED, detail=f"a {entry.kind}, not there"
                )
            if entry not in _in_tables():  # another node may have found it as well
                _note_in_tables(entry)
    return left


def share(data_dir: Path, made_by: str) -> list[str]:
    """Copy what was erased from any host to this node's data folder, and erase again what came back with a backup from whichever one.

    Returns what is left to do, as `again` does.
    """
    noted = set(_noted(data_dir))
    for entry in sorted(_in_tables() - noted, key=lambda each: each.at):
        _note(data_dir, entry)
    return again(data_dir, made_by)


# Archives ------------------------------------------------------------------------------------------------------------


def kept_archives() -> list[str]:
    """The archives there are, for whom to tell what stays where."""
    rows = Archive.select(Archive.file, Archive.before_at).order_by(Archive.before_at)
    return [f"archive {row.file}, of what was before {row.before_at:%Y-%m-%d}" for row in rows]


def forget_in_archives(kind: Kind, word: str, made_by: str, at: datetime) -> Iterator[str]:
    """Erase it in the files of the archives, too: each is written anew, with a new digest. Yields what became of each."""
    for row in list(Archive.select().order_by(Archive.id)):
        file = Path(row.file)
        if not file.is_file():
            yield f"left: archive {file} is not on this host"
        elif row.ended_at is None:
            yield f"left: archive {file} is not done: `webcb archive --resume`, then again"
        elif archiving.digest(file) != row.sha256:
            yield f"left: archive {file} is not what was written: its SHA-256 is another"
        else:
            callbacks = _forget_in_file(row, file, lambda: _ERASE[kind](word, made_by, at, in_the_past=True))
            yield f"archive {file}: {callbacks} callbacks, written anew"


def _forget_in_file(row: Archive, file: Path, erase: Callable[[], Erased]) -> int:
    draft = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        shutil.copy2(file, draft)
        draft.chmod(0o600)
        callbacks = _in_database(db.open_database(f"sqlite:///{draft}"), erase)
        with db.writing():
            Archive.update(sha256=archiving.digest(draft)).where(Archive.id == row.id).execute()
            draft.replace(file)
    finally:
        for part in (draft, *draft.parent.glob(f"{draft.name}-*")):
            part.unlink(missing_ok=True)
    return callbacks


def _in_database(opened: Any, erase: Callable[[], Erased]) -> int:
    """Erase in another database than the one that is bound; what it had is in no free page of its file afterwards."""
    bound = db.database.obj
    db.database.initialize(opened)
    try:
        try:
            callbacks = erase().callbacks
        except LookupError:
            callbacks = 0
        opened.execute_sql("VACUUM")
        opened.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        opened.execute_sql("PRAGMA journal_mode = delete")
        return callbacks
    finally:
        opened.close()
        db.database.initialize(bound)


# Files of generated accounts -----------------------------------------------------------------------------------------


def forget_in_cards(data_dir: Path, login: str) -> int:
    """Take an account's IDs and passwords out of the files below cards/; returns in how many files they stood."""
    changed = 0
    for file in sorted((data_dir / CARDS).glob("*.csv")):
        with file.open(newline="") as opened:
            rows = list(csv.reader(opened))
        if not any(login in row for row in rows):
            continue
        kept = [[*row[:2], *[ERASED] * (len(row) - 2)] if login in row else row for row in rows]
        text = io.StringIO()
        csv.writer(text).writerows(kept)
        draft = file.with_name(f"{file.name}.part")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", newline="") as out:
            out.write(text.getvalue())
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
        changed += 1
    return changed
