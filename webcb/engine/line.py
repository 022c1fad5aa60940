"""One SIP address of the engine: the user agent, who owns each of its sessions, and its deadlines kept.

Here is no socket: datagrams come in by `receive` and leave by the `send` handed in (transport.py on a real network, a simulated
wire in tests). Time comes from a Timekeeper, which an asyncio loop is.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from webcb.engine.trace import call_id
from webcb.engine.trust import Trust
from webcb.sip import events as sip_events
from webcb.sip.events import Address, Cause, SessionId
from webcb.sip.useragent import Call, Credentials, Identity, Registrar, UserAgent
from webcb.watching import counting

log = logging.getLogger(__name__)

TRUSTS_MAX: Final = 10_000  # beyond, all are forgotten: who is called next is known again
SECOND_US: Final = 1_000_000
ROUNDS_MAX: Final = 1000  # of events begetting events in one turn; more is a fault of ours, not of a peer

Owner = Callable[[sip_events.Event], None]


class Note(Protocol):
    """Takes one message for a trace, `sent` by us or heard: see trace.Trace.note."""

    def __call__(self, at_us: int, sent: bool, local: Address, remote: Address, message: bytes) -> None: ...


class Alarm(Protocol):
    """A thing that will happen, unless cancelled."""

    def cancel(self) -> None: ...


class Timekeeper(Protocol):
    """Monotonic time in seconds, and things done at their moment; asyncio's event loop is one."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any) -> Alarm: ...


class Line:
    """The user agent behind one address. Owners are told the events of their sessions until they disown them."""

    def __init__(
        self,
        identity: Identity,
        entropy: Callable[[int], bytes],
        timekeeper: Timekeeper,
        send: Callable[[bytes, Address], None],
        elsewhere: Callable[[Address], bool] = lambda _: False,
    ) -> None:
        self.advertised = identity.contact
        self._agent = UserAgent(identity, entropy, elsewhere)
        self._timekeeper = timekeeper
        self._send = send
        self._owners: dict[SessionId, Owner] = {}
        self._at_close: dict[SessionId, Callable[[], None]] = {}
        self._registrations: dict[SessionId, Callable[[], None]] = {}
        self._notes: dict[bytes, Note] = {}  # by Call-ID
        self._traced: dict[SessionId, tuple[bytes, Callable[[], None]]] = {}
        self.trusts: dict[tuple[str, int], Trust] = {}  # by literal and port, for TLS
        self._alarm: Alarm | None = None
        self._alarm_at = float("inf")
        self._flushing = False
        self._heard = self._said = 0  # messages since they were counted last

    @property
    def sessions(self) -> int:
        """How many calls have not been closed yet."""
        return len(self._at_close)

    def receive(self, data: bytes, address: Address) -> None:
        """Take in one datagram; `flush` afterwards, once for a batch."""
        self._heard += 1
        self._note(False, data, address)
        self._agent.receive(data, address, self._timekeeper.time())

    def undeliverable(self, address: Address, why: str) -> None:
        """Nothing can be sent there, `why` in words: what waits for an answer from there fails at once."""
        self._agent.undeliverable(address, self._timekeeper.time(), why)
        self.flush()

    def disconnected(self, address: Address) -> None:
        """A connection that worked is gone: what waits for an answer from there is sent once more, over a new one."""
        self._agent.disconnected(address, self._timekeeper.time())
        self.flush()

    def trust(self, literal: str, port: int, trust: Trust) -> None:
        """What a TLS connection to this address is checked by from now on."""
        if len(self.trusts) >= TRUSTS_MAX:
            self.trusts.clear()
        self.trusts[literal, port] = trust

    def invite(self, call: Call, owner: Owner, at_close: Callable[[], None]) -> SessionId:
        """Place a call; `owner` hears its events, `at_close` is called when nothing of it is left on the wire."""
        session = self._agent.invite(call, self._timekeeper.time())
        self._owners[session] = owner
        self._at_close[session] = at_close
        return session

    def probe(self, uri: str, next_hop: Address, owner: Owner) -> None:
        """Ask with OPTIONS whether somebody is there; `owner` hears what came of it. ValueError: `uri` is no SIP URI."""
        self._owners[self._agent.probe(uri, next_hop, self._timekeeper.time())] = owner
        self.flush()

    def register(
        self, registrar: Registrar, targets: Sequence[Address], owner: Owner, at_close: Callable[[], None]
    ) -> SessionId:
        """Register with a carrier and stay so; `owner` hears how it stands, `at_close` is called at its end.

        ValueError: what is to be registered fits no URI.
        """
        session = self._agent.register(registrar, targets, self._timekeeper.time())
        self._owners[session] = owner
        self._registrations[session] = at_close
        self.flush()
        return session

    def aim(self, session: SessionId, targets: Sequence[Address]) -> None:
        """Where the next REGISTERs of a registration may go."""
        self._agent.aim(session, targets)

    def refresh(self, session: SessionId) -> None:
        """Register now instead of when it is due."""
        self._agent.refresh(session, self._timekeeper.time())
        self.flush()

    def unregister(self, session: SessionId) -> None:
        """Take a binding back; its owner hears nothing more of it."""
        self._owners.pop(session, None)
        self._agent.unregister(session, self._timekeeper.time())
        self.flush()

    def trace(self, session: SessionId, note: Note, at_close: Callable[[], None]) -> None:
        """Give `note` every message of a session from now on; `at_close` is called when nothing of it is left on the wire."""
        known_as = self._agent.call_id(session).encode()
        self._notes[known_as] = note
        self._traced[session] = known_as, at_close

    def hang_up(self, session: SessionId, cause: Cause) -> None:
        """End the session whatever its moment; its owner hears nothing more of it."""
        self._owners.pop(session, None)
        self._agent.hang_up(session, self._timekeeper.time(), cause)

    def take_over(
        self,
        dialog: str,
        credentials: Credentials | None,
        descriptions: tuple[bytes, bytes],
        owner: Owner,
        at_close: Callable[[], None],
    ) -> SessionId:
        """Go on with a dialog that another process began; `descriptions` are ours and the peer's. ValueError: it is no dialog."""
        session = self._agent.adopt(dialog, self._timekeeper.time(), credentials, *descriptions)
        self._owners[session] = owner
        self._at_close[session] = at_close
        return session

    def end_dialog(self, dialog: str, credentials: Credentials | None, cause: Cause) -> None:
        """Hang up a dialog that another process began. ValueError: what was written is no dialog."""
        session = self._agent.adopt(dialog, self._timekeeper.time(), credentials)
        self._at_close[session] = _nothing
        self._agent.hang_up(session, self._timekeeper.time(), cause)

    def end_invite(self, invite: str, credentials: Credentials | None, cause: Cause) -> None:
        """Cancel an INVITE that another process sent. ValueError: what was written is no INVITE."""
        session = self._agent.take_back(invite, self._timekeeper.time(), credentials, cause)
        self._at_close[session] = _nothing

    def forget(self, session: SessionId) -> None:
        """Nothing more is done or heard of a session that was taken over; its dialog goes on without us."""
        self._owners.pop(session, None)
        self._at_close.pop(session, _nothing)()
        self._agent.forget(session, self._timekeeper.time())

    def confirm(self, session: SessionId) -> None:
        """What its owner was told last is written: the INVITE or ACK that waits for it leaves."""
        self._agent.confirm(session, self._timekeeper.time())
        self.flush()

    def inquire(self, session: SessionId) -> None:
        """Ask the peer whether it still knows the call; its owner hears Alive or HungUp."""
        self._agent.inquire(session, self._timekeeper.time())

    def dialog(self, session: SessionId) -> str:
        """The dialog as JSON, as it stands now."""
        return self._agent.dialog(session)

    def offer(self, session: SessionId, sdp: bytes) -> None:
        """Offer an answered call another description; its owner hears OfferAnswered or OfferRefused."""
        self._agent.offer(session, sdp, self._timekeeper.time())
        self.flush()

    def accept_offer(self, session: SessionId, sdp: bytes) -> None:
        """Answer an offer made inside the dialog."""
        self._agent.accept_offer(session, sdp, self._timekeeper.time())

    def reject_offer(self, session: SessionId, status: int) -> None:
        """Refuse an offer made inside the dialog; the call goes on as it was."""
        self._agent.reject_offer(session, status, self._timekeeper.time())

    def flush(self) -> None:
        """Send what is to be sent, tell owners what happened, until there is nothing of either; then set the next alarm."""
        if self._flushing:  # an owner acted on what it was told; the round below goes on with it
            return
        self._flushing = True
        try:
            for _ in range(ROUNDS_MAX):
                self._send_all()
                happened = self._agent.events()
                if not happened:
                    break
                for event in happened:
                    self._tell(event)
            else:
                log.error("SIP events beget events without end; the rest waits for the next turn")
        finally:
            self._flushing = False
        self._set_alarm()

    def _send_all(self) -> None:
        for data, address in self._agent.to_send():
            self._said += 1
            self._note(True, data, address)
            self._send(data, address)

    def _note(self, sent: bool, data: bytes, address: Address) -> None:
        note = self._notes.get(call_id(data)) if self._notes else None
        if note is not None:
            note(int(self._timekeeper.time() * SECOND_US), sent, self.advertised, address, data)

    def _tell(self, event: sip_events.Event) -> None:
        session = event.session
        if isinstance(event, sip_events.Closed):
            self._owners.pop(session, None)
            self._at_close.pop(session, _nothing)()
            self._registrations.pop(session, _nothing)()
            known_as, at_close = self._traced.pop(session, (b"", _nothing))
            self._notes.pop(known_as, None)
            at_close()
        elif (owner := self._owners.get(session)) is not None:
            owner(event)
        elif isinstance(event, sip_events.Offered):
            self._agent.reject_offer(session, 488, self._timekeeper.time())

    def _set_alarm(self) -> None:
        deadline = self._agent.next_deadline()
        if self._alarm is not None:
            if deadline is not None and self._alarm_at <= deadline:
                return  # an alarm too early only looks and sets the next one
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, float("inf")
        if deadline is not None:
            self._alarm, self._alarm_at = self._timekeeper.call_at(deadline, self._ring), deadline

    def _ring(self) -> None:
        self._alarm, self._alarm_at = None, float("inf")
        self._agent.handle_deadline(self._timekeeper.time())
        self.flush()

    def count(self) -> None:
        """Tell how many messages came and went since the last time: a number that others read costs more than most of a message."""
        numbers = counting.numbers().sip_messages
        numbers.labels("in").inc(self._heard)
        numbers.labels("out").inc(self._said)
        self._heard = self._said = 0

    def close(self) -> None:
        """Forget everything; nothing more is sent."""
        self.count()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def _nothing() -> None:
    return
