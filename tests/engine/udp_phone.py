"""A carrier on a real UDP socket, in a thread: every number rings at once and answers; BYE and CANCEL are obeyed and counted."""

import socket
import threading

from webcb.sip.events import Address
from webcb.sip.message import Request, Response, read_message
from webcb.sip.offer_answer import Codec, make_answer
from webcb.sip.stack import note_source

PCMU = Codec("PCMU", 0, 8000)


class UdpPhone:
    """`methods` is what was heard, by called number; `wait` for it. `answers` False: it rings until it is cancelled."""

    def __init__(self, *, answers: bool = True) -> None:
        self.answers = answers
        self.methods: list[str] = []
        self.seconds: list[float] = []
        self._heard = threading.Condition()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._ended = False
        self._invite: Request | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended = True
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def wait(self, method: str, count: int, seconds_max: float = 15) -> None:
        """Until so many requests of a method have come."""
        with self._heard:
            assert self._heard.wait_for(lambda: self.methods.count(method) >= count, seconds_max), self.methods

    def _listen(self) -> None:
        while not self._ended:
            data, source = self._socket.recvfrom(65_535)
            if data:
                message = read_message(data)
                if isinstance(message, Request):
                    note_source(message, Address(*source))
                    self._take(message, source)

    def _take(self, request: Request, source: tuple[str, int]) -> None:
        if request.method == "INVITE":
            self._invite = request
            self._respond(request, 180, source)
            if self.answers:
                self._respond(request, 200, source, make_answer(request.body, "127.0.0.1", 9, (PCMU,), 7, 1))
        elif request.method != "ACK":
            self._respond(request, 200, source)
            if request.method == "CANCEL" and self._invite is not None:
                self._respond(self._invite, 487, source)
        with self._heard:
            self.methods.append(request.method)
            self._heard.notify_all()

    def _respond(self, request: Request, status: int, source: tuple[str, int], sdp: bytes = b"") -> None:
        fields = {name: request.fields[name] for name in ("Via", "From", "Call-ID", "CSeq")}
        to = request.first("To")
        fields["To"] = [to if "tag=" in to else f"{to};tag=phone"]
        fields["Contact"] = [f"<sip:phone@127.0.0.1:{self.port}>"]
        if sdp:
            fields["Content-Type"] = ["application/sdp"]
        self._socket.sendto(Response(status, "As it is", fields, sdp).encode(), source)
