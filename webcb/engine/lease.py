"""Whose a node is: one engine at a time works under its name, whatever hosts and folders it is started on.

The row of a node names the installation that holds it, and counts how often it was taken: that number is the fencing token. Whoever
works under the name looks in each of his transactions whether the number is still his; who finds another's writes nothing more.

An engine of the same installation takes the node at once: the one before it is dead, for the lock of their folder is free
(succession.py). Another installation's waits until the sign of life has stayed the same for a while; no clocks are compared.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from webcb import db
from webcb.billing import query
from webcb.billing.query import instant, micros

LEASE_SECONDS: Final = 10.0  # without a sign of life; then the node may be taken from who held it


class Fenced(Exception):
    """Another engine works under our name."""


class TakenOver(Exception):
    """Another node has ended a callback of ours: it took us for dead. Nothing of it may begin any more."""


@dataclass(frozen=True, slots=True)
class Node:
    """This node's row, when an engine of its name last gave a sign of life (None: never), and the number under which it is ours."""

    id: int
    heard_at: datetime | None
    term: int


@dataclass(frozen=True, slots=True)
class Rival:
    """Another installation holds the node: its last sign of life, as it stands on the row."""

    holder: str
    heard_micros: int


def take(name: str, holder: str, at: datetime, silent: Rival | None = None) -> Node | Rival:
    """Find or make the node's row, make it ours, and write our start on it; or say who holds it.

    `silent` is who held it and has given no sign of life for long enough: it is taken from him, unless he has given one since.
    """
    query.change(
        "INSERT INTO node (name, holder) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM node WHERE name = ?)",
        name,
        holder,
        name,
    )
    (row,) = query.rows(f"SELECT id, heard_at, holder, term FROM node WHERE name = ?{_locked('UPDATE')}", name)  # noqa: S608
    rival = Rival(row["holder"], row["heard_at"] or 0)
    if row["holder"] not in ("", holder) and rival != silent:
        return rival
    term = int(row["term"]) + 1
    query.change(
        "UPDATE node SET started_at = ?, holder = ?, term = ? WHERE id = ?", micros(at), holder, term, row["id"]
    )
    return Node(row["id"], instant(row["heard_at"]), term)


def hold(node: Node) -> None:
    """Within a transaction: see that the node is still ours, and stays so until its end. Raises Fenced where it is not."""
    found = query.row(f"SELECT term FROM node WHERE id = ?{_locked('SHARE')}", node.id)  # noqa: S608
    if found is None or found["term"] != node.term:
        raise Fenced


def _locked(how: str) -> str:
    """SQLite has one writer at a time anyway."""
    return "" if db.dialect() == "sqlite" else f" FOR {how}"
