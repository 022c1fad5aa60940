"""A program that is told of calls: a real HTTP server on a port of its own, which answers as a test says."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Told:
    """One message as it came: its path, its headers (names in small letters), its body."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Program:
    """What came, and what is answered: the statuses in turn, then the last; `extra` are headers, `content` the body."""

    port: int = 0
    statuses: list[int] = field(default_factory=lambda: [204])
    extra: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    is_silent: bool = False
    drips: bool = False
    told: list[Told] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/calls?key=in-the-query"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Take one message, answer it."""
        body = request.rfile.read(int(request.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.told.append(Told(request.path, headers, body))
        if self.is_silent:
            self.over.wait(30)
            return
        if self.drips:  # a byte of the status line now and then: no single wait is long
            for byte in b"HTTP/1.1 204 " * 20:
                if self.over.wait(0.2):
                    return
                request.wfile.write(bytes([byte]))
            return
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        request.send_response(status)
        for name, value in self.extra.items():
            request.send_header(name, value)
        if status != 204:
            request.send_header("content-length", str(len(self.content)))
        request.end_headers()
        request.wfile.write(self.content)


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[Program]:
    """A program that listens on loopback until the block ends, with TLS where a context is handed in."""
    program = Program()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            program.answer(self)

        def log_message(self, *_: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A sender that has hung up is what some tests want."""

    server = Server(("127.0.0.1", 0), Answering)
    program.port = server.socket.getsockname()[1]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield program
    finally:
        program.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
