"""What a form, a price, an order and the API cost of a core: CPU time a request inside one process, without network or gunicorn.

CPU time stands what else the machine does; answers a second beside a bare Flask page are `bench.pages`.
"""

import re
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from bench.cycle_house import LIMITS, _configuration
from bench.pages import PARTIES, _key
from bench.table import Beside
from webcb import clock, db, settings
from webcb.billing import credentials
from webcb.demo.phones import CALLER, SPEAKS
from webcb.models import Callback, Node, VoiceApplication
from webcb.provisioning.apply import apply
from webcb.provisioning.document import read
from webcb.settings import Bind
from webcb.web.application import create_app

REQUESTS: Final = 200
WARM_UP: Final = 5
TYPED: Final = {
    "login": "bench0",
    "password": "bench",
    "number_a": f"+{CALLER.number}",
    "number_b": f"+{SPEAKS.number}",
}
_CALLS: Final = "/api/v1/click-to-dial/calls"


def run() -> dict[str, Any]:
    """Measure, print a table, return milliseconds of CPU by request."""
    with tempfile.TemporaryDirectory(prefix="webcb-bench-") as folder:
        chosen = settings.load({"WEBCB_DATA_DIR": folder}, None)
        db.connect(chosen.database)
        credentials.use_key(chosen.secret_key)
        db.migrate()
        apply(read(_configuration(Bind("127.0.0.1", 5999)).encode()), clock.utc_now(), "bench", file="bench.yaml")
        Node.create(name="bench", heard_at=clock.utc_now() + timedelta(hours=1))
        VoiceApplication.update(LIMITS).execute()
        bearing = {"Authorization": f"Bearer {_key()}"}
        db.database.close()
        found = _measure(create_app(chosen).test_client(), bearing)
        db.database.close()
    print(f"  {'':<28}{'ms of CPU':>12}")
    for name, milliseconds in found.items():
        print(f"  {name:<28}{milliseconds:>12.2f}")
    return found


def _measure(client: Any, bearing: dict[str, str]) -> dict[str, float]:
    form = _hidden(client.get("/").text) | TYPED
    quoted = _hidden(client.post("/", data=form | {"step": "quote"}).text)
    orders = iter([form | quoted | _hidden(client.get("/").text) for _ in range(REQUESTS + WARM_UP)])
    again = bearing | {"Idempotency-Key": "again"}
    call_id = client.post(_CALLS, json=PARTIES, headers=again).json["callId"]
    asked: dict[str, tuple[int, Callable[[], Any]]] = {
        "a file": (200, lambda: client.get("/static/webcb.css")),
        "the form": (200, lambda: client.get("/")),
        "its price": (200, lambda: client.post("/quote", data=form)),
        "its order": (303, lambda: client.post("/", data=next(orders) | {"step": "connect"})),
        "API: a price": (200, lambda: client.post("/api/v1/quotes", json=PARTIES, headers=bearing)),
        "API: where a call stands": (200, lambda: client.get(f"{_CALLS}/{call_id}", headers=bearing)),
        "API: an order again": (201, lambda: client.post(_CALLS, json=PARTIES, headers=again)),
    }
    found = {}
    for name, (status, ask) in asked.items():
        for number in range(-WARM_UP, REQUESTS):
            if number == 0:
                began = time.process_time()
            answer = ask()
            assert answer.status_code == status, (name, answer.status_code, answer.text[:400])
        found[name] = round(1000 * (time.process_time() - began) / REQUESTS, 2)
    assert Callback.select().count() > REQUESTS
    return found


def _hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'name="(csrf_token|nonce|quoted)"[^>]*value="([^"]+)"', page))


def beside(figures: dict[str, float]) -> list[Beside]:
    """Each beside a static file."""
    return [
        Beside(name, ms, "ms of CPU", "a static file", figures["a file"])
        for name, ms in figures.items()
        if name != "a file"
    ]
