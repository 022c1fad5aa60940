"""Phones that do all that RFC 3261 asks of them, on a real socket in a thread: a 200 is said until its ACK comes, a BYE until it is
answered, a CANCEL after the answer changes nothing. Each call remembers what became of it.
"""

import socket
import threading
import time
from dataclasses import dataclass, field

from tests.engine.udp_phone import PCMU
from webcb.sip.events import Address
from webcb.sip.message import Request, Response, read_message
from webcb.sip.offer_answer import make_answer
from webcb.sip.stack import note_source

T1, T2 = 0.5, 4.0  # RFC 3261, table 4
LOOK_SECONDS = 0.02


@dataclass(slots=True)
class PhoneCall:
    """One call at a phone. Moments are monotonic, None: not yet."""

    number: str
    invite: Request
    source: tuple[str, int]
    answer_at: float
    answered_at: float | None = None
    acknowledged_at: float | None = None
    hung_up_at: float | None = None  # we said BYE
    over_at: float | None = None
    heard: list[str] = field(default_factory=list)
    due_at: float = 0.0  # when what waits is said again
    wait_seconds: float = T1

    @property
    def is_up(self) -> bool:
        """Whether a person would hold the receiver."""
        return self.answered_at is not None and self.over_at is None


class DutifulPhones:
    """All phones of a carrier. `ring_seconds` by number; who is in `talk_seconds` hangs up so long after the ACK.

    `again_seconds` is how soon what is not answered is said again, and then later and later. `answers` are those to our BYEs.
    """

    def __init__(
        self,
        ring_seconds: dict[str, float],
        talk_seconds: dict[str, float],
        again_seconds: tuple[float, float] = (T1, T2),
    ) -> None:
        self.answers: list[int] = []
        self._again_seconds = again_seconds
        self.calls: dict[str, PhoneCall] = {}  # by Call-ID
        self._ring_seconds, self._talk_seconds = ring_seconds, talk_seconds
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(LOOK_SECONDS)
        self.port = int(self._socket.getsockname()[1])
        self._open = True
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def close(self) -> None:
        self._open = False
        self._thread.join()
        self._socket.close()

    def up(self) -> list[PhoneCall]:
        """The calls that are up."""
        return [call for call in list(self.calls.values()) if call.is_up]

    def _work(self) -> None:
        while self._open:
            try:
                data, source = self._socket.recvfrom(65_535)
            except TimeoutError:
                data = b""
            if data:
                message = read_message(data)
                if isinstance(message, Request):
                    note_source(message, Address(*source))
                    self._take(message, source)
                else:
                    self._take_response(message)
            for call in self.calls.values():
                self._act(call, time.monotonic())

    def _take(self, request: Request, source: tuple[str, int]) -> None:
        known = self.calls.get(request.call_id)
        if request.method == "INVITE" and known is None:
            number = request.uri.removeprefix("sip:").partition("@")[0].lstrip("+")
            known = PhoneCall(number, request, source, time.monotonic() + self._ring_seconds[number])
            self.calls[request.call_id] = known
            self._say(self._response(request, 180), source)
        if known is None:
            self._say(self._response(request, 481), source)
            return
        known.heard.append(request.method)
        match request.method:
            case "ACK":
                known.acknowledged_at = known.acknowledged_at or time.monotonic()
            case "CANCEL":
                self._say(self._response(request, 200), source)
                if known.answered_at is None and known.over_at is None:
                    known.over_at = time.monotonic()
                    self._say(self._response(known.invite, 487), source)
            case "BYE":
                self._say(self._response(request, 200), source)
                known.over_at = known.over_at or time.monotonic()
            case "OPTIONS":
                self._say(
                    self._response(request, 200 if known.over_at is None and not known.hung_up_at else 481), source
                )

    def _take_response(self, response: Response) -> None:
        known = self.calls.get(response.first("Call-ID"))
        if known is not None and known.hung_up_at is not None and response.status >= 200:
            self.answers.append(response.status)
            known.over_at = known.over_at or time.monotonic()

    def _act(self, call: PhoneCall, now: float) -> None:
        """Say what is due."""
        if call.over_at is not None or now < max(call.answer_at, call.due_at):
            return
        if call.answered_at is None:
            call.answered_at = now
        talks = self._talk_seconds.get(call.number)
        if call.acknowledged_at is None:
            sdp = make_answer(call.invite.body, "127.0.0.1", 9, (PCMU,), 7, 1)
            self._again(call, now, self._response(call.invite, 200, sdp))
        elif talks is not None and now >= call.acknowledged_at + talks:
            if call.hung_up_at is None:
                call.hung_up_at, call.wait_seconds = now, self._again_seconds[0]
            self._again(call, now, self._bye(call))

    def _again(self, call: PhoneCall, now: float, message: Request | Response) -> None:
        self._say(message, call.source)
        call.due_at = now + call.wait_seconds if call.acknowledged_at is None or call.hung_up_at else now
        call.wait_seconds = min(2 * call.wait_seconds, self._again_seconds[1])

    def _say(self, message: Request | Response, to: tuple[str, int]) -> None:
        self._socket.sendto(message.encode(), to)

    def _response(self, request: Request, status: int, sdp: bytes = b"") -> Response:
        fields = {name: request.fields[name] for name in ("Via", "From", "Call-ID", "CSeq")}
        to = request.first("To")
        fields["To"] = [to if "tag=" in to else f"{to};tag=phone"]
        fields["Contact"] = [f"<sip:phone@127.0.0.1:{self.port}>"]
        if sdp:
            fields["Content-Type"] = ["application/sdp"]
        return Response(status, "As it is", fields, sdp)

    def _bye(self, call: PhoneCall) -> Request:
        contact = call.invite.first("Contact").partition("<")[2].partition(">")[0]
        branch = f"z9hG4bK{abs(hash(call.invite.first('Call-ID'))):x}"
        fields = {
            "Via": [f"SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch}"],
            "Max-Forwards": ["70"],
            "From": [f"{call.invite.first('To')};tag=phone"],
            "To": [call.invite.first("From")],
            "Call-ID": [call.invite.first("Call-ID")],
            "CSeq": ["1 BYE"],
        }
        return Request("BYE", contact, fields)
