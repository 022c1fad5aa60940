"""Work in the background as rows: asked for by a page or a command, worked at by one process, resumed by the next.

A worker holds a lease and renews it with every step it keeps; whose lease has run out is taken for dead, and what it does
later changes nothing. What a kind of job does stands with its room; who works at them is webcb/clerk.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from webcb import db
from webcb.models import Job

LEASE: Final = timedelta(seconds=30)
SAID_MAX: Final = 500


class LeaseLost(Exception):
    """Another process works at the job by now."""


@dataclass(frozen=True, slots=True)
class Work:
    """A job in hand: its plan, and what an earlier run of it kept."""

    id: int
    kind: str
    owner: str
    asked_by: str
    mail_to: str
    plan: dict[str, Any]
    kept: dict[str, Any]
    total: int
    done: int


def post(kind: str, plan: dict[str, Any], total: int, asked_by: str, mail_to: str, at: datetime) -> int:
    """Ask for a job of `total` steps; returns its id. Within the caller's transaction, or one of its own."""
    with db.writing():
        made = Job.create(
            kind=kind, plan=json.dumps(plan), asked_at=at, asked_by=asked_by, mail_to=mail_to, total=total
        )
    return int(made.id)


def claim(owner: str, at: datetime, job_id: int | None = None) -> Work | None:
    """Take the oldest job that nobody works at, or `job_id`; None where there is none."""
    is_free = (Job.state == "waiting") | ((Job.state == "running") & (Job.lease_until < at))
    with db.writing():
        query = Job.select().where(is_free).order_by(Job.id)
        row = (query if job_id is None else query.where(Job.id == job_id)).first()
        if row is None:
            return None
        change = Job.update(state="running", owner=owner, lease_until=at + LEASE, started_at=row.started_at or at)
        if change.where((Job.id == row.id) & is_free).execute() != 1:
            return None
    kept = json.loads(row.kept) if row.kept else {}
    return Work(row.id, row.kind, owner, row.asked_by, row.mail_to, json.loads(row.plan), kept, row.total, row.done)


def keep(work: Work, done: int, kept: dict[str, Any], at: datetime) -> None:
    """Write how far the work is, in the transaction that did it; renews the lease. Raises LeaseLost."""
    _change(work, done=done, kept=json.dumps(kept), lease_until=at + LEASE)


def end(work: Work, said: str, at: datetime, *, file: str = "", failed: bool = False) -> None:
    """The job is over, and what is said of it to who asked, by mail where an address was given. Raises LeaseLost."""
    state = "failed" if failed else "done"
    mail_due_at = at if work.mail_to else None
    _change(work, state=state, said=said[:SAID_MAX], file=file, ended_at=at, lease_until=None, mail_due_at=mail_due_at)


def give_back(work: Work) -> None:
    """Stop working at it: the next worker goes on from what was kept."""
    with db.writing():
        mine = (Job.id == work.id) & (Job.owner == work.owner) & (Job.state == "running")
        Job.update(state="waiting", lease_until=None).where(mine).execute()


def _change(work: Work, **columns: Any) -> None:
    with db.writing():
        mine = (Job.id == work.id) & (Job.owner == work.owner) & (Job.state == "running")
        if Job.update(**columns).where(mine).execute() != 1:
            raise LeaseLost(f"job {work.id} is worked at by another process")
