"""The carrier of udp_phone.py over TCP or TLS: it answers over whatever connection a request came by."""

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

from tests.engine.udp_phone import Phone
from webcb.sip.framing import Framer
from webcb.sip.message import Request, read_message


class StreamPhone(Phone):
    """`connections` counts those that were opened. `context`: it speaks TLS with this."""

    def __init__(self, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.transport = "tls" if context else "tcp"
        self.connections = 0
        self._context = context
        self._sockets: list[socket.socket] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = socket.create_server((host, 0), family=family)
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def hang_up(self) -> None:
        """The last call is ended by its phone: a BYE over the connection that the call came by."""
        invite = self._invite
        assert invite is not None
        via = f"SIP/2.0/{self.transport.upper()} {self.host}:{self.port};branch=z9hG4bKbye{len(self.requests)}"
        fields = {
            "Via": [via],
            "Max-Forwards": ["70"],
            "From": [f"{invite.first('To')};tag=phone"],
            "To": [invite.first("From")],
            "Call-ID": [invite.call_id],
            "CSeq": ["1 BYE"],
        }
        contact = invite.first("Contact").strip("<>")
        self._sockets[-1].sendall(Request("BYE", contact, fields).encode())

    def drop(self) -> None:
        """Close every connection."""
        for each in self._sockets:
            with suppress(OSError):  # the other end has gone already
                each.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def _accept(self) -> None:
        threads = []
        while True:
            try:
                accepted, _ = self._server.accept()
            except OSError:
                break
            threads.append(threading.Thread(target=self._listen, args=(accepted,), daemon=True))
            threads[-1].start()
        self.drop()  # a thread that reads wakes at a shutdown, not at a close
        for thread in threads:
            thread.join()

    def _listen(self, accepted: socket.socket) -> None:
        framer = Framer()
        try:
            opened = self._context.wrap_socket(accepted, server_side=True) if self._context else accepted
        except OSError:
            accepted.close()
            return
        self.connections += 1
        self._sockets.append(opened)
        with opened:
            try:
                while data := opened.recv(65_536):
                    for each in framer.feed(data):
                        message = read_message(each)
                        if isinstance(message, Request):
                            self.take(message, lambda response: opened.sendall(response.encode()))
            except OSError:
                return


def server_context(certificate: Path, key: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    """A TLS server with this certificate; `client_ca`: it asks for a client's, signed by this."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, key)
    if client_ca:
        made.load_verify_locations(client_ca)
        made.verify_mode = ssl.CERT_REQUIRED
    return made
