"""The doorbell: a datagram on a Unix socket that wakes the engine of this host the moment a row awaits it; on PostgreSQL its NOTIFY,
which wakes the engines of all hosts, whoever wrote the row (triggers of schema.sql).

A missed ring costs only time: the engine also looks by itself every little while.
"""

import gc
import logging
import os
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

log = logging.getLogger(__name__)

CHANNEL: Final = "webcb_engines"  # as the triggers have it
AGAIN_SECONDS: Final = 1.0  # between two tries to reach the server


def ring(path: Path, said: bytes = b"") -> None:
    """Wake the engine listening at `path`; silently nothing where none listens or it is being woken already.

    `said` is a byte that another engine has for it (engine/succession.py).
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        try:
            bell.sendto(said, str(path))
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            return


def listen(path: Path) -> socket.socket:
    """A non-blocking socket that becomes readable at a ring; takes the place of one left by an engine that died."""
    path.unlink(missing_ok=True)
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bell.setblocking(False)
    bell.bind(str(path))
    path.chmod(0o600)
    return bell


class FarBell(threading.Thread):
    """Calls `rung`, in this thread, whenever PostgreSQL tells of a row that awaits an engine, and whenever it is reached again."""

    def __init__(self, url: str, rung: Callable[[], object]) -> None:
        super().__init__(name="far bell", daemon=True)
        self._url, self._rung = url, rung
        self._end_reader, self._end_writer = os.pipe()
        self._is_over = threading.Event()

    def run(self) -> None:
        """Listen until `close`."""
        import psycopg  # only who has PostgreSQL has it

        from webcb.pool import CONNECTION, IDLE_MS, server_options

        while not self._is_over.is_set():
            try:
                gc.collect(
                    1
                )  # what the last try in vain has left, where there was one: see engine/journal.collect_failures
                options = server_options(IDLE_MS)
                with psycopg.connect(self._url, autocommit=True, options=options, **CONNECTION) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._rung()  # for what was written while nobody listened
                    self._hear(connection)
            except psycopg.Error as wrong:
                log.warning("the database does not ring: %s", str(wrong).strip())
                self._is_over.wait(AGAIN_SECONDS)

    def _hear(self, connection: Any) -> None:
        waiting = select.poll()
        waiting.register(connection.fileno(), select.POLLIN)
        waiting.register(self._end_reader, select.POLLIN)
        while not self._is_over.is_set():
            waiting.poll()
            connection.pgconn.consume_input()
            told = 0
            while connection.pgconn.notifies() is not None:
                told += 1
            if told:
                self._rung()

    def close(self) -> None:
        """Listen no more."""
        self._is_over.set()
        os.write(self._end_writer, b"!")
        self.join(AGAIN_SECONDS)
        if not self.is_alive():
            os.close(self._end_reader)
            os.close(self._end_writer)
