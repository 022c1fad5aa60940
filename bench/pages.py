"""Forms and API calls a second beside a bare Flask page under the same gunicorn, alone and while 200 calls are up.

One worker process with its threads; CONNECTIONS ask at once over connections that stay open, on the same machine: the bare page
says what gunicorn, Flask and the asking cost. Of each series: answers a second, the middle and the slowest hundredth in ms.
"""

import asyncio
import json
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from bench.cycle_house import HOST, _free_port, house, place, wait
from bench.table import Beside
from webcb import clock, db, doorbell
from webcb.demo.phones import CALLER, SPEAKS
from webcb.models import Account, Callback, VoiceApplication
from webcb.serve import end_group, spawn
from webcb.settings import Bind, Settings
from webcb.web import bearer

CALLS_UP: Final = 200
CONNECTIONS: Final = 8
REQUESTS: Final = 300
WARM_UP: Final = 16
TALK_MS: Final = 600_000
PARTIES: Final = {"caller": {"number": f"+{CALLER.number}"}, "callee": {"number": f"+{SPEAKS.number}"}}

Series = dict[str, float]


def run() -> dict[str, Any]:
    """Measure, print a table, return the figures."""
    figures: dict[str, Any] = {"connections": CONNECTIONS, "requests": REQUESTS, "calls_up": CALLS_UP}
    with house(TALK_MS) as (chosen, _, _):
        key = _key()
        with _bare(chosen) as bare:
            figures["quiet"] = _all(bare, chosen.http_bind, key)
            _raise_calls(chosen)
            figures["while calls are up"] = _all(bare, chosen.http_bind, key)
        up = Callback.select().where(Callback.state == "talking").count()
        assert up >= CALLS_UP, f"only {up} calls were up at the end"
        Callback.update(release_asked_at=clock.utc_now(), release_asked_by="operator").execute()
        doorbell.ring(chosen.doorbell)
    return figures


def _key() -> str:
    wanted = bearer.Wanted(
        name="bench",
        scopes=bearer.ACCOUNT_SCOPES,
        account=Account.get(login="bench0"),
        voice_application=VoiceApplication.get(path="-"),
        requests_per_minute=100_000,
    )
    return bearer.make(wanted, (), "bench", clock.utc_now()).key


@contextmanager
def _bare(chosen: Settings) -> Iterator[Bind]:
    bind = Bind(HOST, _free_port(1))
    workers = f"--workers {chosen.http_workers} --worker-class gthread --threads {chosen.http_threads} --keep-alive 5"
    with (Path(chosen.data_dir) / "bare.log").open("w") as log:
        command = (sys.executable, "-m", "gunicorn", "bench.bare:app", "--bind", str(bind), *workers.split())
        process = spawn(command, output=log)
        try:
            wait(lambda: _answers(bind), "the bare page answers")
            yield bind
        finally:
            end_group(process)
            process.wait()


def _answers(bind: Bind) -> bool:
    try:
        return asyncio.run(_ask(bind, [_request("GET", "/", bind)], 1, 1))["per_second"] > 0
    except OSError:
        return False


def _raise_calls(chosen: Settings) -> None:
    with db.writing():
        VoiceApplication.update(talk_seconds_max=TALK_MS // 1000).execute()
        for number in range(CALLS_UP):
            place(number, f"up-{number}")
    doorbell.ring(chosen.doorbell)
    wait(lambda: Callback.select().where(Callback.state == "talking").count() >= CALLS_UP, f"{CALLS_UP} calls are up")


def _all(bare: Bind, pages: Bind, key: str) -> dict[str, Series]:
    form, cookie = _form(pages)
    bearing = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    order = json.dumps(PARTIES)
    placed = _first(
        pages, _request("POST", "/api/v1/click-to-dial/calls", pages, order, bearing | {"Idempotency-Key": "b"})
    )
    call_id = json.loads(placed.partition(b"\r\n\r\n")[2])["callId"]
    asked = {
        "a bare Flask page": (bare, _request("GET", "/", bare)),
        "the form": (pages, _request("GET", "/", pages)),
        "its price": (pages, _request("POST", "/quote", pages, form, {"Cookie": cookie})),
        "API: a price": (pages, _request("POST", "/api/v1/quotes", pages, order, bearing)),
        "API: where a call stands": (
            pages,
            _request("GET", f"/api/v1/click-to-dial/calls/{call_id}", pages, None, bearing),
        ),
        "API: an order again": (
            pages,
            _request("POST", "/api/v1/click-to-dial/calls", pages, order, bearing | {"Idempotency-Key": "b"}),
        ),
    }
    print(f"  {'':<28}{'a second':>10}{'p50 ms':>10}{'p99 ms':>10}")
    found = {}
    for name, (bind, request) in asked.items():
        asyncio.run(_ask(bind, [request], WARM_UP, CONNECTIONS))
        found[name] = asyncio.run(_ask(bind, [request], REQUESTS, CONNECTIONS))
        print(f"  {name:<28}" + "".join(f"{value:>10.1f}" for value in found[name].values()), flush=True)
    return found


def _form(pages: Bind) -> tuple[str, str]:
    """A form filled in, and the cookie it belongs to."""
    page = _first(pages, _request("GET", "/", pages)).decode()
    cookie = re.search(r"(?i)set-cookie: ([^;]+)", page)
    hidden = dict(re.findall(r'name="(csrf_token|nonce)"[^>]*value="([^"]+)"', page))
    assert cookie is not None
    typed = {"login": "bench0", "password": "bench", "number_a": f"+{CALLER.number}", "number_b": f"+{SPEAKS.number}"}
    return urlencode(hidden | typed), cookie[1]


def _request(method: str, path: str, bind: Bind, body: str | None = None, headers: Any = None) -> bytes:
    head = (
        {"Host": str(bind)} | ({"Content-Type": "application/x-www-form-urlencoded"} if body else {}) | (headers or {})
    )
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return ("\r\n".join([*lines, "", ""]) + (body or "")).encode()


def _first(bind: Bind, request: bytes) -> bytes:
    async def once() -> bytes:
        reader, writer = await asyncio.open_connection(bind.host, bind.port)
        writer.write(request)
        found = await _answer(reader)
        writer.close()
        return found

    return asyncio.run(once())


async def _ask(bind: Bind, requests: list[bytes], times: int, at_once: int) -> Series:
    """Send the request so often, from so many connections; each waits for its answer. What is not 2xx is a fault."""
    took: list[float] = []
    left = iter(range(times))

    async def connection() -> None:
        reader = writer = None
        for number in left:
            began = time.perf_counter()
            if writer is None:
                reader, writer = await asyncio.open_connection(bind.host, bind.port)
            writer.write(requests[number % len(requests)])
            answer = await _answer(reader)  # type: ignore[arg-type]
            took.append(1000 * (time.perf_counter() - began))
            assert answer.startswith(b"HTTP/1.1 2"), answer[:400]
            if b"connection: close" in answer.partition(b"\r\n\r\n")[0].lower():
                writer.close()
                writer = None
        if writer is not None:
            writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(at_once)))
    seconds = time.perf_counter() - began
    took.sort()
    return {
        "per_second": round(times / seconds, 1),
        "p50_ms": round(statistics.median(took), 1),
        "p99_ms": round(took[max(0, int(len(took) * 0.99) - 1)], 1),
    }


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    if length is not None:
        return head + await reader.readexactly(int(length[1]))
    body = b""
    while True:  # chunked
        size = int(await reader.readline(), 16)
        body += await reader.readexactly(size + 2)
        if not size:
            return head + body


def beside(figures: dict[str, Any]) -> list[Beside]:
    """Each beside the bare page of the same series."""
    return [
        Beside(
            f"{name}, {when}",
            series["per_second"],
            "a second",
            "a bare Flask page",
            figures[when]["a bare Flask page"]["per_second"],
            "more",
        )
        for when in ("quiet", "while calls are up")
        for name, series in figures[when].items()
        if name != "a bare Flask page"
    ]
