"""The user agent: the whole stack behind five doors. Datagrams and time go in; datagrams, deadlines and events come out.

What is done with a call is `session`'s; this file only finds whose a message is.
"""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Final

from webcb.sip.admission import SILENCE, Verdict, judge, judge_stranger
from webcb.sip.digest import Credentials
from webcb.sip.events import Address, Cause, Event, SessionId
from webcb.sip.grammar import ProtocolError
from webcb.sip.message import BadMessage, Request, Response, read_message, top_via
from webcb.sip.probe import Probe
from webcb.sip.registration import Registrar, Registration
from webcb.sip.session import ANSWERED, Call, Session
from webcb.sip.stack import Identity, Stack, note_source
from webcb.sip.transaction import COMPLETED, CONFIRMED, TransactionLayer, reply_address

STRANGERS_MAX: Final = 10_000  # server transactions open at once; beyond them only requests inside dialogs are heard

__all__ = ["Call", "Credentials", "Identity", "Registrar", "UserAgent"]


class UserAgent:
    """A SIP user agent that places calls, without I/O (RFC 3261).

    `entropy(n)` gives n random bytes. Every `now` is in seconds of one monotonic clock. After each call, send what `to_send`
    gives, take `events`, and call `handle_deadline` when `next_deadline` has come.

    `elsewhere(address)` is asked where a request in a dialog has found nobody at an address that is a name: whether what goes there
    from now on goes to another of its hosts, as names are the owner's (RFC 3263, 4.3).
    """

    def __init__(
        self,
        identity: Identity,
        entropy: Callable[[int], bytes],
        elsewhere: Callable[[Address], bool] = lambda _: False,
    ) -> None:
        self._layer = TransactionLayer()
        self._told: list[Event] = []
        self._stack = Stack(identity, entropy, self._layer, self._tell, elsewhere)
        self._numbers = count(1)
        self._sessions: dict[SessionId, Session] = {}
        self._by_dialog: dict[tuple[str, str], Session] = {}  # Call-ID and our tag
        self._registrations: dict[SessionId, Registration] = {}

    # The five doors

    def receive(self, data: bytes, address: Address, now: float) -> None:
        """One datagram. What is malformed is answered 400 or dropped; nothing that comes raises."""
        try:
            message = read_message(data)
        except BadMessage as wrong:
            self._answer_malformed(wrong, address)
            return
        except ProtocolError:
            return  # not even a header to answer to; the keep-alives of RFC 5626 end here too
        message.source = address.host
        if isinstance(message, Response):
            self._on_response(message, now)
        else:
            note_source(message, address)
            self._on_request(message, address, now)

    def undeliverable(self, address: Address, now: float, why: str = "") -> None:
        """Nothing can be sent to an address that `to_send` gave: its name does not resolve, or the transport refused.

        `why`, in words, becomes the text of the cause.

        Requests that nobody has answered there fail at once, an INVITE as 503 (RFC 3261, 8.1.3.1).
        """
        self._layer.undeliverable(address, now, why)

    def disconnected(self, address: Address, now: float) -> None:
        """A connection to an address that `to_send` gave broke after it had worked.

        Requests that nobody has answered there are sent once more, which a new connection may carry; the second time they fail.
        """
        self._layer.disconnected(address, now)

    def to_send(self) -> list[tuple[bytes, Address]]:
        """What is to be sent since the last time, in order. A host is as the URI wrote it: names are for the owner to resolve."""
        outbox, self._layer.outbox = self._layer.outbox, []
        return outbox

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is to be called, None when nothing waits."""
        return self._layer.timers.next_deadline()

    def handle_deadline(self, now: float) -> None:
        """Do what was due by `now`."""
        self._layer.timers.fire(now)

    def events(self) -> list[Event]:
        """What happened since the last time, in order."""
        told, self._told = self._told, []
        return told

    # Commands

    def invite(self, call: Call, now: float) -> SessionId:
        """Place a call. ValueError: a URI or header of it could not stand in an INVITE, or is one that is written here."""
        session = self._new_session(call.credentials)
        session.place(call, now)
        return self._keep(session)

    def probe(self, uri: str, next_hop: Address, now: float) -> SessionId:
        """Ask with OPTIONS whether somebody is there; `Probed` tells. ValueError: `uri` is no SIP URI."""
        number = SessionId(next(self._numbers))
        Probe(self._stack, number).send(uri, next_hop, now)
        return number

    def register(self, registrar: Registrar, targets: Sequence[Address], now: float) -> SessionId:
        """Register with a carrier, and stay so until `unregister`; `Registered` and `Unregistered` tell how it stands.

        `targets`, best first, are where a REGISTER may go: the next one where one does not answer (RFC 3263, 4.3).
        ValueError: user or domain could not stand in a URI.
        """
        number = SessionId(next(self._numbers))
        registration = Registration(self._stack, number, registrar, self._forget_registration)
        self._registrations[number] = registration
        registration.begin(targets, now)
        return number

    def aim(self, session: SessionId, targets: Sequence[Address]) -> None:
        """The registrar's name is resolved anew: its targets from the next REGISTER on."""
        if session in self._registrations:
            self._registrations[session].aim(targets)

    def refresh(self, session: SessionId, now: float) -> None:
        """Register now instead of when it is due: the registrar may have forgotten us."""
        if session in self._registrations:
            self._registrations[session].refresh(now)

    def unregister(self, session: SessionId, now: float) -> None:
        """Take a binding back and stay away; `Closed` follows."""
        if session in self._registrations:
            self._registrations[session].leave(now)

    def hang_up(self, session: SessionId, now: float, cause: Cause | None = None) -> None:
        """End a call at whatever moment: CANCEL, BYE, or CANCEL as soon as it may be sent (RFC 3261, 9.1 and 15). Idempotent.

        A 200 that crosses is acknowledged and ended here and told as Failed(487). `cause` becomes the Reason (RFC 3326).
        """
        found = self._sessions.get(session)
        if found:
            found.hang_up(now, cause)

    def offer(self, session: SessionId, sdp: bytes, now: float) -> None:
        """Offer an answered call another description, by a re-INVITE; `OfferAnswered` or `OfferRefused` tells, or `HungUp`.

        It waits while another offer is open, and goes once more where both sides began at once (RFC 3261, 14.1). One at a time.
        """
        found = self._sessions.get(session)
        if found and found.state == ANSWERED:
            found.conversation.offer(sdp, now)

    def accept_offer(self, session: SessionId, sdp: bytes, now: float) -> None:
        """Answer the offer told by `Offered`; without effect where it waits no longer."""
        found = self._sessions.get(session)
        if found and found.conversation.negotiation:
            found.conversation.negotiation.accept(sdp, now)

    def reject_offer(self, session: SessionId, status: int, now: float) -> None:
        """Refuse the offer told by `Offered`, usually 488; the call goes on as it was."""
        found = self._sessions.get(session)
        if found and found.conversation.negotiation:
            found.conversation.negotiation.reject(status, now)

    def call_id(self, session: SessionId) -> str:
        """The Call-ID of every message of a session. KeyError: nothing is left of it."""
        return self._sessions[session].call_id

    def dialog(self, session: SessionId) -> str:
        """The dialog of an answered session as it is now, for `adopt`: JSON text. KeyError: the session has none."""
        dialog = self._sessions[session].conversation.dialog
        if dialog is None:
            raise KeyError(session)
        return dialog.print()

    def adopt(
        self,
        dialog: str,
        now: float,
        credentials: Credentials | None = None,
        local: bytes = b"",
        remote: bytes = b"",
    ) -> SessionId:
        """Go on with an answered dialog that another process began. ValueError: the text is no dialog.

        Credentials are not in the text, so that no password lies beside it: hand them in where a BYE may be challenged. `local` and
        `remote` are the descriptions in force, with which a session timer is refreshed.
        """
        session = self._new_session(credentials)
        session.adopt(dialog, now, local, remote)
        return self._keep(session)

    def take_back(
        self, invite: str, now: float, credentials: Credentials | None = None, cause: Cause | None = None
    ) -> SessionId:
        """Cancel an INVITE that another process sent, as told by `Inviting`; a 2xx that comes all the same is acknowledged and ended.

        ValueError: the text is no INVITE.
        """
        session = self._new_session(credentials)
        session.take_back(invite, now, cause)
        return self._keep(session)

    def forget(self, session: SessionId, now: float) -> None:
        """Leave an adopted dialog as it is, to be adopted again."""
        found = self._sessions.get(session)
        if found:
            found.conversation.drop(now)
            self._forget(found)

    def confirm(self, session: SessionId, now: float) -> None:
        """What a call that is written ahead told last is written: its INVITE or ACK leaves. Without effect where none waits."""
        found = self._sessions.get(session)
        if found:
            found.confirm(now)

    def inquire(self, session: SessionId, now: float) -> None:
        """Ask the peer of an answered call whether it still knows it: `Alive`, or `HungUp` where it does not (481, 408)."""
        found = self._sessions.get(session)
        if found:
            found.conversation.inquire(now)

    # Within

    def _tell(self, event: Event) -> None:
        self._told.append(event)

    def _new_session(self, credentials: Credentials | None) -> Session:
        return Session(self._stack, SessionId(next(self._numbers)), credentials, self._forget)

    def _keep(self, session: Session) -> SessionId:
        self._sessions[session.id] = session
        self._by_dialog[session.call_id, session.local_tag] = session
        return session.id

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        self._by_dialog.pop((session.call_id, session.local_tag), None)
        session.conversation.close()

    def _forget_registration(self, session: SessionId) -> None:
        self._registrations.pop(session, None)

    def _on_response(self, response: Response, now: float) -> None:
        via = response.fields["Via"]
        if len(via) > 1 or "," in via[0]:
            return  # it went astray: ours is the only Via (RFC 3261, 8.1.3.3)
        transaction = self._layer.find_client(response)
        if transaction:
            transaction.on_response(response, now)
        elif response.cseq_method == "INVITE" and 200 <= response.status < 300:
            session = self._by_dialog.get((response.call_id, response.from_tag))
            if session:
                session.conversation.answered_before_us(response)

    def _on_request(self, request: Request, source: Address, now: float) -> None:
        if request.method == "ACK":
            self._on_ack(request, now)
        elif known := self._layer.find_server(request):
            known.on_request(request.method, now)
        else:
            self._on_new_request(request, source, now)

    def _on_new_request(self, request: Request, source: Address, now: float) -> None:
        session = self._find_session(request)
        verdict = judge(request, in_dialog=session is not None)
        if verdict is None and request.method == "CANCEL":
            verdict = Verdict(200 if self._layer.find_server(request, "INVITE") else 481)
        elif verdict is None and session is None:
            is_merged = not request.to_tag and self._layer.is_merged(request)
            verdict = Verdict(482) if is_merged else judge_stranger(request, self._stack.identity.strangers)
        if verdict is SILENCE or (session is None and self._layer.servers_open >= STRANGERS_MAX):
            return
        server = self._layer.serve(request, source)
        if verdict:
            server.reply(self._stack.answer(request, verdict.status, verdict.fields), now)
            if session and request.method == "CANCEL":
                session.conversation.on_cancel(request, now)
        elif session:
            session.conversation.on_request(server, session.state == ANSWERED, now)

    def _find_session(self, request: Request) -> Session | None:
        """Whose dialog a request is in: a Call-ID may be overheard, so both tags and where it came from must fit as well."""
        session = self._by_dialog.get((request.call_id, request.to_tag)) if request.to_tag else None
        return session if session and session.conversation.knows(request) else None

    def _on_ack(self, ack: Request, now: float) -> None:
        server = self._layer.find_server(ack, "INVITE")
        if server and server.state in (COMPLETED, CONFIRMED):
            server.on_request("ACK", now)
        elif session := self._find_session(ack):
            session.conversation.on_ack(ack)

    def _answer_malformed(self, wrong: BadMessage, source: Address) -> None:
        """Tell who sent it what is wrong, without a transaction, if its Via can be read at all (RFC 3261, 8.2.7)."""
        request = wrong.message
        if not isinstance(request, Request) or request.method == "ACK":
            return
        try:
            request.via = top_via(request)
        except ProtocolError:
            return
        note_source(request, source)
        response = self._stack.answer(request, wrong.status)
        self._layer.send(response.encode(), reply_address(request.via, source))
