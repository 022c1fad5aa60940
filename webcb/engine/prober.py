"""Which connections are there: each that is to be probed is asked by OPTIONS every so often, at every address that its name has;
its state is kept here and on its row.

What is done with a connection that is down is calls.py's. A down one is asked on, and is up again with its first answer.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from webcb.billing import query
from webcb.billing.query import micros
from webcb.engine.addresses import family_of
from webcb.engine.calls import Resolver, at_host, next_hop
from webcb.engine.line import Alarm, Line, Timekeeper
from webcb.engine.trust import Trust
from webcb.sip import events as sip_events
from webcb.sip.events import Address, Cause
from webcb.sip.location import Located

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0  # between two looks at the rows: what changed there is noticed so soon
SILENCE_SECONDS: Final = 40  # until it is known that nobody answers (timer F, 32 s), and a look after that
# Nothing came, or it says that it cannot; every other answer is that of somebody alive.
DOWN: Final = frozenset((408, 503))

Found = dict[str, Any]

_TO_PROBE: Final = """
    SELECT id, name, host, port, transport, tls_ca_file, tls_certificate_file, tls_key_file, probe_seconds
      FROM connection
     WHERE active AND probe_seconds IS NOT NULL
"""
_NO_MORE: Final = """
    UPDATE connection SET state = 'unknown', state_at = NULL, state_reason = ''
     WHERE state <> 'unknown' AND (probe_seconds IS NULL OR NOT active)
"""


def find() -> list[Found]:
    """The connections to probe. Those probed no longer get no state."""
    query.change(_NO_MORE)
    return query.rows(_TO_PROBE)


def write(connection_id: int, state: str, reason: str, at: datetime) -> None:
    """Put a connection's state on its row."""
    query.change(
        "UPDATE connection SET state = ?, state_at = ?, state_reason = ? WHERE id = ?",
        state,
        micros(at),
        reason,
        connection_id,
    )


class Prober:
    """The probes of one engine. `post` is the journal's, `on_return` is told of a connection that was down and answers again.

    All calls come from one thread.
    """

    def __init__(
        self,
        timekeeper: Timekeeper,
        utc_now: Callable[[], datetime],
        lines: Mapping[int, Line],
        post: Callable[..., None],
        resolver: Resolver,
        on_return: Callable[[int], None],
    ) -> None:
        self._timekeeper = timekeeper
        self._utc_now = utc_now
        self._lines = lines
        self._post = post
        self._resolver = resolver
        self._on_return = on_return
        self._is_up: dict[int, bool] = {}
        self._due: dict[int, float] = {}
        self._asked: set[tuple[int, Address]] = set()
        self._said: dict[int, dict[Address, Cause | None]] = {}  # what each address of a connection said last
        self._alarm: Alarm | None = None

    def is_down(self, connection_id: int) -> bool:
        """Whether a connection did not answer when it was asked last."""
        return not self._is_up.get(connection_id, True)

    def look(self) -> None:
        """Look at the rows, and probe whoever is due; again after LOOK_SECONDS."""
        self._alarm = self._timekeeper.call_at(self._timekeeper.time() + LOOK_SECONDS, self.look)
        self._post(find, self._found)

    def close(self) -> None:
        """Look no more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _found(self, result: list[Found] | Exception) -> None:
        if isinstance(result, Exception):
            log.error("connections to probe could not be looked for", exc_info=result)
            return
        wanted = {each["id"] for each in result}
        self._is_up = {known: is_up for known, is_up in self._is_up.items() if known in wanted}
        self._due = {known: due for known, due in self._due.items() if known in wanted}
        self._said = {known: said for known, said in self._said.items() if known in wanted}
        now = self._timekeeper.time()
        for each in result:
            if self._due.get(each["id"], now) <= now:
                self._due[each["id"]] = now + each["probe_seconds"]
                hop = next_hop(each["host"], each["port"], each["transport"])
                self._resolver.resolve_all(hop, partial(self._ask, each))

    def _ask(self, found: Found, located: Located) -> None:
        """Ask every address that has not still to answer the question before."""
        connection_id = found["id"]
        if not located.targets:
            self._settle(found, Cause(503, 3, located.trouble))
            return
        said = self._said.get(connection_id, {})
        self._said[connection_id] = {target: said.get(target) for target in located.targets}
        uri = f"sip:{at_host(found['host'], found['port'], found['transport'])}"
        for there in located.targets:
            if (connection_id, there) in self._asked:
                continue
            line = self._lines[family_of(there.host)]
            if there.transport == "tls":
                files = (found["tls_ca_file"], found["tls_certificate_file"], found["tls_key_file"])
                line.trust(there.host, there.port, Trust(found["host"], *files))
            self._asked.add((connection_id, there))
            try:
                line.probe(uri, there, partial(self._told, found, there))
            except ValueError as wrong:
                self._hear(found, there, Cause(503, 3, str(wrong)))

    def _told(self, found: Found, there: Address, event: sip_events.Event) -> None:
        if isinstance(event, sip_events.Probed):
            self._hear(found, there, event.cause)

    def _hear(self, found: Found, there: Address, cause: Cause) -> None:
        self._asked.discard((found["id"], there))
        if cause.status in DOWN:
            self._resolver.rest(there, found["probe_seconds"] + SILENCE_SECONDS)
        else:
            self._resolver.wake(there)
        said = self._said.get(found["id"], {})
        if there not in said:
            return  # probed no longer, or no longer an address of it
        said[there] = cause
        good = next((each for each in said.values() if each is not None and each.status not in DOWN), None)
        if good is not None or None not in said.values():
            self._settle(found, good or cause)

    def _settle(self, found: Found, cause: Cause) -> None:
        """A connection is up while one of its addresses is."""
        if found["id"] not in self._due:
            return  # probed no longer
        is_up = cause.status not in DOWN
        if self._is_up.get(found["id"]) is is_up:
            return
        if is_up and self.is_down(found["id"]):
            self._on_return(found["id"])
        self._is_up[found["id"]] = is_up
        state, reason = ("up" if is_up else "down"), f"{cause.status} {cause.text}"
        log.log(logging.INFO if is_up else logging.WARNING, "connection %s is %s: %s", found["name"], state, reason)
        self._post(partial(write, found["id"], state, reason, self._utc_now()))
