"""The other nodes on the same database: which of them is dead, whose callbacks this one ends, and which of ours were ended so.

Whether a node lives is judged by its row alone: its sign of life has to change while we look on. So no two clocks are compared,
and who could not look on himself, the database being away, judges nobody. Jobs of the journal.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from webcb import db
from webcb.billing import query
from webcb.billing.query import Row, marks
from webcb.engine import shares

log = logging.getLogger(__name__)

DEAD_SECONDS: Final = 10.0  # without a new sign of life, while we looked on
LOOK_GAP_SECONDS_MAX: Final = 4.0  # who looked on less often has seen nothing

_OTHERS: Final = """
    SELECT node.id, node.name, node.heard_at
      FROM node
     WHERE node.id <> ? AND node.heard_at IS NOT NULL
"""

# The sign of life is the fence: it is still the one we judged by, or the node lives.
_SAME: Final = "SELECT id FROM node WHERE id = ? AND heard_at = ?"
_OPEN: Final = "SELECT id FROM callback WHERE node_id = ? AND state <> 'requested' AND state <> 'ended'"
_TAKE: Final = "UPDATE callback SET node_id = ?, lost_at = COALESCE(lost_at, ?) WHERE id IN ({})"
# A node that was cut off in a transaction holds its rows until the server ends that: nobody waits for them, we look again.
_UNLESS_HELD: Final = " FOR UPDATE SKIP LOCKED"


@dataclass(slots=True)
class Neighbours:
    """What this engine has seen of the others."""

    node_id: int
    looked_at: float | None = None
    has_others: bool = False  # that live
    since: dict[int, tuple[int, float]] = field(
        default_factory=dict
    )  # by node: its sign of life, and since when we know that

    def look(self, now: float) -> int:
        """Take over the callbacks of nodes that are dead; how many. `now` is of the monotonic clock.

        Their legs are ended and the callbacks settled as any of this node's that nobody runs (recovery.watch).
        """
        others = query.rows(_OTHERS, self.node_id)
        if self.looked_at is None or now - self.looked_at > LOOK_GAP_SECONDS_MAX:
            self.since.clear()
        self.looked_at = now
        dead = [node for node in others if self._is_dead(node, now)]
        self.has_others = len(others) > len(dead)
        taken = sum(self._take_over(node) for node in dead)
        for node in dead:
            shares.leave(node["id"])
        return taken

    def _is_dead(self, node: Row, now: float) -> bool:
        heard_at, since = self.since.get(node["id"], (None, now))
        if heard_at != node["heard_at"]:
            self.since[node["id"]] = node["heard_at"], now
            return False
        return now - since >= DEAD_SECONDS

    def _take_over(self, node: Row) -> int:
        unless_held = "" if db.dialect() == "sqlite" else _UNLESS_HELD
        if query.row(_SAME + unless_held, node["id"], node["heard_at"]) is None:
            return 0
        found = [row["id"] for row in query.rows(_OPEN + unless_held, node["id"])]
        if found:
            query.change(_TAKE.format(marks(found)), self.node_id, node["heard_at"], *found)
            log.warning("node %s gives no sign of life: its %d callbacks are ended here", node["name"], len(found))
        return len(found)


def taken_from(node_id: int, known: Sequence[str]) -> list[str]:
    """Which of the callbacks that this engine runs another has taken over: it was cut off, and took us for dead."""
    if not known:
        return []
    sql = f"SELECT id FROM callback WHERE id IN ({marks(known)}) AND node_id <> ?"  # noqa: S608  marks only
    return [row["id"] for row in query.rows(sql, *known, node_id)]
