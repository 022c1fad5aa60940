"""Many at once, on the real server and SQLite: one order is one call, a limit of two is two. What a restart leaves: test_restart.py."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.web import scene
from tests.web.api.conftest import CALLS, PARTIES, bearing, make_key
from tests.web.conftest import serving
from webcb import db
from webcb.models import Callback, VoiceApplication

CONNECTIONS = 48


@dataclass(frozen=True)
class Answer:
    status_code: int
    text: str


def post_all(url: str, bodies: list[Any], headers: dict[str, str]) -> list[Answer]:
    """All of them at once, as far as the server lets in; bare sockets, as the client is not what is to be busy."""
    host, _, port = url.removeprefix("http://").partition(":")
    room = asyncio.Semaphore(CONNECTIONS)
    heads = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    async def post(body: bytes) -> Answer:
        async with room:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                f"POST {CALLS} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n"
                f"{heads}Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            answer = await reader.read()
            writer.close()
        head, _, text = answer.decode().partition("\r\n\r\n")
        return Answer(int(head.split()[1]), text)

    async def together() -> list[Answer]:
        return await asyncio.gather(*(post(json.dumps(body).encode()) for body in bodies))

    return asyncio.run(together())


def test_a_thousand_identical_posts_are_one_call_and_a_hundred_asks_no_more_than_the_limit(tmp_path: Path) -> None:
    chosen = scene.settings(tmp_path)
    scene.build(chosen)
    db.connect(chosen.database)
    key = make_key(requests_per_minute=100_000).key
    with db.database.connection_context():
        VoiceApplication.update(concurrent_per_account=2).execute()

    with serving(tmp_path) as server:
        same = post_all(server.url, [PARTIES] * 1000, bearing(key, Idempotency_Key="order-1"))
        assert Counter(answer.status_code for answer in same) == {201: 1000}
        assert len({answer.text for answer in same}) == 1
        with db.database.connection_context():
            assert [each.id for each in Callback.select()] == [json.loads(same[0].text)["callId"]]

        others = [PARTIES | {"callee": {"number": f"+1206555{number:04}"}} for number in range(100)]
        said = post_all(server.url, others, bearing(key))
        assert Counter(answer.status_code for answer in said) == {201: 1, 429: 99}
        with db.database.connection_context():
            assert Callback.select().count() == 2
    db.database.close()
