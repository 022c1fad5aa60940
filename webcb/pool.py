"""PostgreSQL by psycopg 3, its connections pooled, watched and replaced: what a process keeps of a server that may go away.

A thread has a connection while it works; between, the pool keeps it. Nothing here waits for a server longer than it says.
"""

import select
from typing import Any

from playhouse.pool import PooledPostgresqlDatabase

WAIT_SECONDS_MAX = 5  # for a connection that another thread has, then the database counts as away
CONNECT_SECONDS_MAX = 5
SILENCE_SECONDS_MAX = 10  # of a server with a statement of ours; then the connection is dead
STALE_SECONDS = 1800  # a connection is made anew now and then: the server's memory of it grows

# Planning a look-up of prefixes takes five times as long as running it: a prepared statement keeps its plan. A node that is cut
# off in the middle of a transaction must not hold its rows for ever: the server ends the transaction, others go on.
IDLE_MS = 20_000
SERVER_OPTIONS = (
    "plan_cache_mode=force_generic_plan",
    "tcp_keepalives_idle=5",
    "tcp_keepalives_interval=2",
    "tcp_keepalives_count=3",
    "tcp_user_timeout=10s",
)

# Of every connection: silence is noticed, at both ends.
CONNECTION: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS_MAX,
    "application_name": "webcb",
    # Whoever fails over leaves a server that may only be read behind: it is not ours.
    "target_session_attrs": "read-write",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_SECONDS_MAX * 1000,
}


def server_options(idle_ms: int) -> str:
    """What the server is told of a connection; it ends a transaction that has asked nothing for `idle_ms`."""
    options = (*SERVER_OPTIONS, f"idle_in_transaction_session_timeout={idle_ms}")
    return " ".join(f"-c {option}" for option in options)


class PooledPostgresql(PooledPostgresqlDatabase):
    """The pool of one process; a connection the server has closed is seen as it is taken, without a round trip."""

    def __init__(self, url: str, connections_max: int, idle_ms: int = IDLE_MS) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            url,
            max_connections=connections_max,
            stale_timeout=STALE_SECONDS,
            timeout=WAIT_SECONDS_MAX,
            prefer_psycopg3=True,
            options=server_options(idle_ms),
            **CONNECTION,
        )

    def _is_closed(self, connection: Any) -> bool:
        if super()._is_closed(connection):  # type: ignore[no-untyped-call]
            return True
        # Nothing is asked, so nothing can be said: what can be read is the server's farewell, or the end of the stream.
        waiting = select.poll()
        waiting.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return bool(waiting.poll(0))

    def open_count(self) -> tuple[int, int]:
        """How many connections are in use, and how many wait to be."""
        return len(self._in_use), len(self._connections)

    def __del__(self) -> None:
        """A pool nobody has any more takes its connections with it."""
        for connection in [each[2] for each in self._connections] + [each.connection for each in self._in_use.values()]:
            self._close_raw(connection)  # type: ignore[no-untyped-call]
