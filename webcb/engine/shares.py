"""What of a connection's capacity this node may use, where several share it. Jobs of the journal.

The limit holds because the shares on the rows never sum to more than the capacity: a node takes only what no other has, and gives
back what it does not need while another wants more. So no call waits for the database: a node decides within its share. Whoever
is alone has all of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from webcb import db
from webcb.billing import query
from webcb.billing.query import Row

HEADROOM: Final = 2  # legs more than there are just now: the next ones need not wait for a look


@dataclass(frozen=True, slots=True)
class Use:
    """Legs of this node on a connection: up, and waiting for a turn."""

    legs: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Share:
    """What this node may use of `capacity`: `legs` at once (None: no limit), what the others want, by how many the pace is divided."""

    capacity: int | None
    legs: int | None
    elsewhere: int = 0
    nodes: int = 1


NOTHING: Final = Use(0, 0)

_LIMITED: Final = (
    "SELECT id, capacity FROM connection WHERE active AND (capacity IS NOT NULL OR calls_per_second IS NOT NULL)"
)
_SHARES: Final = "SELECT connection_id, node_id, legs, wanted FROM connection_share ORDER BY connection_id, node_id"


def renew(node_id: int, uses: Mapping[int, Use]) -> dict[int, Share]:
    """Settle with the other nodes what this one may use of each limited connection; by connection."""
    given, to_write = _settled(node_id, uses)
    if to_write:
        if db.dialect() != "sqlite":
            query.change("LOCK TABLE connection_share IN SHARE ROW EXCLUSIVE MODE")
        given, to_write = _settled(node_id, uses)  # as nobody else changes it now
        for connection_id, (legs, wanted) in to_write.items():
            query.change(
                "INSERT INTO connection_share (connection_id, node_id, legs, wanted) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (connection_id, node_id) DO UPDATE SET legs = excluded.legs, wanted = excluded.wanted",
                connection_id,
                node_id,
                legs,
                wanted,
            )
    return given


def leave(node_id: int) -> None:
    """A node that is dead, or ends, has no share any more once none of its callbacks is open."""
    query.change(
        "DELETE FROM connection_share WHERE node_id = ? AND NOT EXISTS"
        " (SELECT 1 FROM callback WHERE node_id = ? AND state <> 'requested' AND state <> 'ended')",
        node_id,
        node_id,
    )


def _settled(node_id: int, uses: Mapping[int, Use]) -> tuple[dict[int, Share], dict[int, tuple[int, int]]]:
    """The shares of this node as they are to be, and which of its rows have to be written for that."""
    rows: dict[int, list[Row]] = {}
    for row in query.rows(_SHARES):
        rows.setdefault(row["connection_id"], []).append(row)
    given: dict[int, Share] = {}
    to_write: dict[int, tuple[int, int]] = {}
    for connection in query.rows(_LIMITED):
        there = rows.get(connection["id"], [])
        others = [row for row in there if row["node_id"] != node_id]
        mine = next((row for row in there if row["node_id"] == node_id), None)
        use = uses.get(connection["id"], NOTHING)
        rank = sum(row["node_id"] < node_id for row in others)
        legs = fair_legs(connection["capacity"], use, [(row["legs"], row["wanted"]) for row in others], rank)
        elsewhere = sum(row["wanted"] for row in others)
        given[connection["id"]] = Share(
            connection["capacity"], None if connection["capacity"] is None else legs, elsewhere, len(others) + 1
        )
        wanted = use.legs + use.waiting
        if mine is None or (mine["legs"], mine["wanted"]) != (legs, wanted):
            to_write[connection["id"]] = legs, wanted
    return given, to_write


def fair_legs(capacity: int | None, use: Use, others: list[tuple[int, int]], rank: int) -> int:
    """How many legs a node may have of `capacity`, where the `others` have (legs, wanted); `rank` is its place among all.

    Never more than the others leave, never less than it has up.
    """
    if capacity is None:
        return 0
    if not others:
        return max(use.legs, capacity)
    free = max(0, capacity - sum(legs for legs, _ in others))
    nodes = len(others) + 1
    even = capacity // nodes + (rank < capacity % nodes)
    wanted = use.legs + use.waiting
    # Where somebody has too little, keep what is wanted here, and no more than is even: the next call here waits for a look or two.
    is_short = any(want > legs for legs, want in others)
    target = min(even, wanted) if is_short else max(even, wanted + HEADROOM)
    return max(use.legs, min(free, target))
