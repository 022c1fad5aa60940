"""With which carriers we are registered: each connection that asks for it is kept registered; how it stands is on its row.

What is said on the wire is sip.registration's; what becomes of a connection that is not registered is calls.py's.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import Any, Final

from webcb.billing import credentials, query
from webcb.billing.query import micros
from webcb.engine.addresses import family_of
from webcb.engine.calls import Resolver, next_hop
from webcb.engine.line import Alarm, Line, Timekeeper
from webcb.engine.trust import Trust
from webcb.sip import events as sip_events
from webcb.sip.events import Address, SessionId
from webcb.sip.grammar import print_host_port
from webcb.sip.location import Located
from webcb.sip.useragent import Credentials, Registrar

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0  # between two looks at the rows: what changed there is noticed so soon
TOKEN_BYTES: Final = 8

Found = dict[str, Any]

_TO_REGISTER: Final = """
    SELECT id, name, host, port, transport, tls_ca_file, tls_certificate_file, tls_key_file, username, sealed_password, registrar,
           register_user, register_seconds
      FROM connection
     WHERE active AND must_register
"""
_NO_MORE: Final = """
    UPDATE connection SET registration = 'none', registration_at = NULL, registration_reason = ''
     WHERE registration <> 'none' AND NOT (must_register AND active)
"""


def find() -> list[Found]:
    """The connections to be registered with. Those no longer so get no state."""
    query.change(_NO_MORE)
    return query.rows(_TO_REGISTER)


def write(connection_id: int, registration: str, reason: str, at: datetime) -> None:
    """Put the state of a registration on the connection's row."""
    query.change(
        "UPDATE connection SET registration = ?, registration_at = ?, registration_reason = ? WHERE id = ?",
        registration,
        micros(at),
        reason,
        connection_id,
    )


@dataclass(eq=False, slots=True)
class Kept:
    """One connection to be registered with, as its row was read; `said` is what stands there of it."""

    found: Found
    line: Line | None = None
    session: SessionId | None = None
    is_registered: bool | None = None  # None: the first answer is not there yet
    routes: tuple[str, ...] = ()
    said: tuple[str, str] = ("", "")


class Registrations:
    """The registrations of one engine. `post` is the journal's, `node` its name; all calls come from one thread."""

    def __init__(
        self,
        timekeeper: Timekeeper,
        utc_now: Callable[[], datetime],
        lines: Mapping[int, Line],
        post: Callable[..., None],
        resolver: Resolver,
        node: str,
    ) -> None:
        self._timekeeper = timekeeper
        self._utc_now = utc_now
        self._lines = lines
        self._post = post
        self._resolver = resolver
        self._node = node
        self._kept: dict[int, Kept] = {}
        self._leaving = 0
        self._is_over = False
        self._alarm: Alarm | None = None

    def is_missing(self, connection_id: int) -> bool:
        """Whether a connection that must be registered with is not: refused, unanswered, run out. Not so before the first answer."""
        kept = self._kept.get(connection_id)
        return kept is not None and kept.is_registered is False

    def routes(self, connection_id: int) -> tuple[str, ...]:
        """The Route values that calls by a connection are to carry (RFC 3608)."""
        kept = self._kept.get(connection_id)
        return kept.routes if kept else ()

    def refresh(self, connection_id: int) -> None:
        """The carrier was away: it may have forgotten us, and is asked now instead of when it is due."""
        kept = self._kept.get(connection_id)
        if kept is not None and kept.line is not None and kept.session is not None:
            kept.line.refresh(kept.session)

    @property
    def is_idle(self) -> bool:
        """Whether every binding that was given up is known to be gone, or nobody answers about it."""
        return not self._leaving

    def look(self) -> None:
        """Look at the rows; again after LOOK_SECONDS."""
        self._alarm = self._timekeeper.call_at(self._timekeeper.time() + LOOK_SECONDS, self.look)
        self._post(find, self._found)

    def leave_all(self) -> None:
        """Take every binding back, and look no more."""
        self._is_over = True
        self.close()
        for kept in self._kept.values():
            self._leave(kept)
        self._kept.clear()

    def close(self) -> None:
        """Look no more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    # Rows

    def _found(self, result: list[Found] | Exception) -> None:
        if isinstance(result, Exception):
            log.error("connections to register with could not be looked for", exc_info=result)
            return
        if self._is_over:
            return
        wanted = {each["id"]: each for each in result}
        for connection_id, kept in list(self._kept.items()):
            if wanted.get(connection_id) != kept.found:  # also where it is configured in another way now
                self._leave(self._kept.pop(connection_id))
        for connection_id, each in wanted.items():
            kept = self._kept.setdefault(connection_id, Kept(each))
            hop = next_hop(each["host"], each["port"], each["transport"])
            self._resolver.resolve(hop, partial(self._located, kept))

    def _say(self, kept: Kept, registration: str, reason: str) -> None:
        kept.is_registered = registration == "registered"
        if kept.said == (registration, reason):
            return
        kept.said = registration, reason
        level = logging.INFO if kept.is_registered else logging.WARNING
        log.log(level, "connection %s is %s: %s", kept.found["name"], registration, reason)
        self._post(partial(write, kept.found["id"], registration, reason, self._utc_now()))

    # The wire

    def _located(self, kept: Kept, located: Located) -> None:
        """The host's addresses are known, at first or anew. A binding stays with the family it was begun in."""
        found = kept.found
        if self._kept.get(found["id"]) is not kept:
            return
        if not located.targets:
            if kept.session is None:
                self._say(kept, "unregistered", located.trouble)
            return
        line = kept.line or self._lines[family_of(located.targets[0].host)]
        targets = tuple(each for each in located.targets if self._lines[family_of(each.host)] is line)
        for each in targets:
            if each.transport == "tls":  # the certificate is for the name that is configured (RFC 5922, 4)
                files = (found["tls_ca_file"], found["tls_certificate_file"], found["tls_key_file"])
                line.trust(each.host, each.port, Trust(found["host"], *files))
        if kept.session is None:
            self._begin(kept, line, targets)
        else:
            line.aim(kept.session, targets)

    def _begin(self, kept: Kept, line: Line, targets: tuple[Address, ...]) -> None:
        found = kept.found
        try:
            password = credentials.unseal(found["sealed_password"])
            registrar = Registrar(
                domain=print_host_port(found["registrar"] or found["host"], None),
                user=found["register_user"] or found["username"],
                token=self._token(found["id"]),
                seconds=found["register_seconds"],
                credentials=Credentials(found["username"], password) if found["username"] else None,
            )
            kept.line = line
            kept.session = line.register(registrar, targets, partial(self._told, kept), self._left)
        except (
            ValueError,
            credentials.SealProblem,
        ) as wrong:  # what is configured fits no URI, or is sealed with a lost key
            self._say(kept, "unregistered", str(wrong)[:120])

    def _token(self, connection_id: int) -> str:
        """The user part of our Contact there: the same as long as this node has this connection, and of no other."""
        return blake2b(f"{self._node} {connection_id}".encode(), digest_size=TOKEN_BYTES).hexdigest()

    def _told(self, kept: Kept, event: sip_events.Event) -> None:
        if self._kept.get(kept.found["id"]) is not kept:
            return  # given up meanwhile
        if isinstance(event, sip_events.Registered):
            kept.routes = event.routes
            self._say(kept, "registered", f"for {event.seconds} s")
        elif isinstance(event, sip_events.Unregistered):
            self._say(kept, "unregistered", f"{event.cause.status} {event.cause.text}")

    def _leave(self, kept: Kept) -> None:
        if kept.line is not None and kept.session is not None:
            self._leaving += 1
            kept.line.unregister(kept.session)

    def _left(self) -> None:
        self._leaving -= 1
