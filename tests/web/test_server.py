"""The pages under the real server: identical posts in parallel, and streams that do not starve anybody."""

import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest

from tests.web import scene
from tests.web.conftest import SERVER_THREADS, Server
from tests.web.hand import hidden
from webcb import db
from webcb.models import Callback, Leg
from webcb.web import follow

POSTS = 100
POSTERS = 20
WORKERS = 2


class Visitor:
    """A visitor of the real server, with his cookies."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.cookies = CookieJar()
        self._opener: OpenerDirector = build_opener(HTTPCookieProcessor(self.cookies))

    def open(self, path: str, fields: dict[str, str] | None = None) -> tuple[str, str]:
        """The text of a page and the address it was found at in the end."""
        body = urlencode(fields).encode() if fields else None
        with self._opener.open(Request(self.url + path, body), timeout=60) as answer:
            return answer.read().decode(), answer.geturl()

    def ready_form(self, number_b: str = scene.NUMBER_B) -> dict[str, str]:
        """The fields of a form whose price has been seen."""
        page, _ = self.open("/")
        fields = {name: hidden(page, name) for name in ("csrf_token", "nonce")} | {
            "login": "alice",
            "password": scene.PASSWORD,
            "number_a": scene.NUMBER_A,
            "number_b": number_b,
            "step": "connect",
        }
        quoted, _ = self.open("/", fields)
        return fields | {"quoted": hidden(quoted, "quoted")}

    @property
    def cookie(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)


@pytest.fixture(autouse=True)
def _no_callbacks_left(server: Server) -> None:
    for callback in Callback.select(Callback.id).where(Callback.state != "ended"):
        scene.Engine(callback.id).end("expired", None, None)
    db.database.close()


def test_a_hundred_identical_posts_are_one_callback(server: Server) -> None:
    visitor = Visitor(server)
    fields = visitor.ready_form("+1 206 555 0170")
    start = threading.Barrier(POSTERS)

    def post(number: int) -> str:
        poster = Visitor(server)
        for cookie in visitor.cookies:
            poster.cookies.set_cookie(cookie)
        if number < POSTERS:
            start.wait(30)
        return poster.open("/", fields)[1]

    with ThreadPoolExecutor(POSTERS) as posters:
        places = set(posters.map(post, range(POSTS)))
    assert len(places) == 1
    assert Leg.select().where(Leg.cld == "12065550170").count() == 1


class Stream:
    """A reader of the events of a callback, byte by byte, as long as it likes."""

    def __init__(self, visitor: Visitor, path: str) -> None:
        parts = urlsplit(visitor.url)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        self.connection.request("GET", f"{path}/events", headers={"Cookie": visitor.cookie})
        self.answer = self.connection.getresponse()

    def event(self) -> str:
        """The next event; "" at the end of the stream."""
        for line in iter(self.answer.readline, b""):
            if line.startswith(b"data: "):
                return line.decode()
        return ""

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def test_events_come_as_they_happen(server: Server) -> None:
    visitor = Visitor(server)
    path = urlsplit(visitor.open("/", visitor.ready_form())[1]).path
    engine = scene.Engine(path.rsplit("/", 1)[1])
    stream = Stream(visitor, path)
    try:
        assert "Getting ready" in stream.event()
        engine.claim()
        assert "Calling you" in stream.event()
        engine.ring_a()
        assert "Your phone is ringing" in stream.event()
        engine.end("A did not answer", 0, None)
        assert "You did not answer" in stream.event()
        assert stream.event() == ""
    finally:
        stream.close()


def test_streams_leave_threads_for_everybody_else(server: Server) -> None:
    visitor = Visitor(server)
    path = urlsplit(visitor.open("/", visitor.ready_form())[1]).path
    streams = [Stream(visitor, path) for _ in range(2 * SERVER_THREADS)]
    try:
        held = [stream for stream in streams if stream.answer.status == 200]
        refused = [stream for stream in streams if stream.answer.status == 503]
        assert len(held) + len(refused) == len(streams)
        assert 1 <= len(held) <= WORKERS * follow.viewers_max(SERVER_THREADS)
        assert visitor.open("/healthz")[0] == "ok\n"
        assert "Getting ready" in visitor.open(f"{path}/now")[0]
    finally:
        for stream in streams:
            stream.close()


def test_a_stranger_of_the_real_server_sees_nothing(server: Server) -> None:
    visitor = Visitor(server)
    path = urlsplit(visitor.open("/", visitor.ready_form())[1]).path
    with pytest.raises(HTTPError, match="404"):
        Visitor(server).open(path)
