"""A backup is one SQLite file with every row, of whichever database: made while the service goes on, and checked before it counts.

It is restored into an empty database of either kind. The secret key is not in it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from peewee import Database, SqliteDatabase

from webcb import db
from webcb.billing import books
from webcb.keeping import copying
from webcb.keeping.copying import CopyProblem, Told


def make(source: Database, file: Path, told: Told) -> int:
    """Write a backup of `source` to `file`, which must not be there yet; returns how many rows it has. Raises CopyProblem.

    Of one moment, without keeping anybody from writing. The file has its name only once its books are found right and it is on the
    disk.
    """
    if file.exists():
        raise CopyProblem(f"{file} is there already")
    draft = file.with_name(f"{file.name}.{os.getpid()}.part")
    draft.unlink(missing_ok=True)
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        if isinstance(source, SqliteDatabase):
            rows = _photographed(Path(str(source.database)), draft, told)
        else:
            with _opened(draft) as target:
                rows = copying.copy(source, target, told, hold=False)
        _as_one_file(draft)
        os.link(draft, file)  # and not over one that came meanwhile
        _on_disk(file)
    except FileExistsError:
        raise CopyProblem(f"{file} is there already") from None
    finally:
        for part in (draft, *draft.parent.glob(f"{draft.name}-*")):
            part.unlink(missing_ok=True)
    return rows


def restore(file: Path, target: Database, told: Told) -> int:
    """Copy a backup into the empty database `target`; returns how many rows. Raises CopyProblem.

    An older one is brought to this program's version first, in a copy: the backup stays as it is.
    """
    with TemporaryDirectory(dir=file.parent, prefix=".restoring-") as folder:
        copied = Path(folder) / "backup.sqlite"
        try:
            _photograph(file, copied)
            _require_whole(copied)
        except sqlite3.DatabaseError as wrong:
            raise CopyProblem(f"{file} is no backup: {wrong}") from wrong
        bound = db.database.obj
        with _opened(copied) as source:
            db.database.initialize(source)
            try:
                if db.version() == 0:
                    raise CopyProblem(f"{file} is no backup of webcb: it has no tables of ours")
                db.migrate()
            finally:
                db.database.initialize(bound)
            return copying.copy(source, target, told, hold=True)


def _photographed(path: Path, draft: Path, told: Told) -> int:
    _photograph(path, draft)
    _require_whole(draft)
    bound = db.database.obj
    with _opened(draft) as made:
        db.database.initialize(made)
        try:
            if db.version() == 0:
                raise CopyProblem("there is nothing to keep: the database has no tables")
            wrong = books.differences()
            if wrong:
                raise CopyProblem(f"the books contradict themselves: {wrong[0]}")
            total = 0
            for table in copying.TABLES:
                rows = table.select().count()
                told(table._meta.table_name, rows)
                total += rows
            return total
        finally:
            db.database.initialize(bound)


def _photograph(path: Path, to: Path) -> None:
    """One moment of an SQLite database, whoever writes into it: in one step, a reader of WAL stops no writer."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def _require_whole(path: Path) -> None:
    with closing(sqlite3.connect(path)) as looked_through:
        (said,) = looked_through.execute("PRAGMA integrity_check(1)").fetchone()
        strange = looked_through.execute("PRAGMA foreign_key_check").fetchone()
    if said != "ok" or strange is not None:
        raise CopyProblem(
            f"the file is damaged: {said if said != 'ok' else f'a row of {strange[0]} refers to nothing'}"
        )


@contextmanager
def _opened(path: Path) -> Iterator[Database]:
    opened = db.open_database(f"sqlite:///{path}")
    try:
        yield opened
    finally:
        opened.close()


def _as_one_file(path: Path) -> None:
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA journal_mode = delete")


def _on_disk(path: Path) -> None:
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
