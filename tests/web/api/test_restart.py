"""What was counted is counted after a restart: the real server ends between two asks, and every limit is what it was (domain 9)."""

from pathlib import Path

import httpx

from tests.web import scene
from tests.web.api.conftest import CALLS, PARTIES, bearing, make_key
from tests.web.conftest import Server, serving
from tests.web.hand import error, hidden
from webcb import clock, db
from webcb.billing import asks, credentials, hosted, query
from webcb.billing.authorization import Reason, Refusal
from webcb.models import Callback, Leg, VoiceApplication

KINDS_OF_LIMIT = ("", "_account", "_a", "_b", "_block", "_source")
ASKS = [f"asks_per_minute{of}" for of in KINDS_OF_LIMIT]
AT_A_TIME = ["concurrent_max", *(f"concurrent_per{of}" for of in KINDS_OF_LIMIT[1:])]
OF_THE_DAY = [f"daily_spend_max{of}_micros" for of in ("", "_a", "_b", "_block", "_source")]
ELSEWHERE = "12065559999"
OTHER_A = "5511999887700"
# Who is asked for: the same phone as by the call that goes on, or one beside it, for the limits of just these.
OTHERWISE = {
    "concurrent_per_b": {"caller": OTHER_A},
    "concurrent_per_block": {"caller": OTHER_A, "callee": "12065550124"},
}
OTHER_SOURCE = "127.0.0.2"  # tries keys, of which the first one's source is not to be closed


def set_limits(most: int | None, *names: str) -> None:
    """These limits of the front page and no others."""
    none = dict.fromkeys([*ASKS, *AT_A_TIME, *OF_THE_DAY]) | {"concurrent_per_account": 1000}
    want(**none | dict.fromkeys(names, most))


def want(**fields: object) -> None:
    with db.database.connection_context():
        VoiceApplication.update(**fields).where(VoiceApplication.path == "-").execute()


def end_all(seconds: int = 60) -> None:
    """Every callback that goes on ends, as the engine ends it: after so many seconds of talk, or before anybody was called."""
    with db.database.connection_context():
        for each in Callback.select().where(Callback.state != "ended"):
            legs = {leg.name: leg.pricing for leg in Leg.select().where(Leg.callback == each)}
            used_a, used_b = (seconds if legs.get(name) else None for name in "AB")
            scene.Engine(each.id).end("A hung up" if used_a else "expired", used_a, used_b)


class Program:
    """A program with a key of alice's, and a visitor of the same pages."""

    def __init__(self, server: Server, key: str) -> None:
        self.key = key
        self.visitor = httpx.Client(base_url=server.url)
        self.elsewhere = httpx.Client(base_url=server.url, transport=httpx.HTTPTransport(local_address=OTHER_SOURCE))

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.visitor.close()
        self.elsewhere.close()

    def call(self, *, caller: str = scene.DIGITS_A, callee: str = scene.DIGITS_B, **headers: str) -> httpx.Response:
        parties = {"caller": {"number": f"+{caller}"}, "callee": {"number": f"+{callee}"}}
        return self.visitor.post(CALLS, json=parties, headers=bearing(self.key, **headers))

    def hosted(self) -> str:
        """Ask for a Hosted callback: the address of its page, or what the page says."""
        page = self.visitor.get("/all?kind=hosted").text
        form = {name: hidden(page, name) for name in ("csrf_token", "nonce")} | {"kind": "hosted", "step": "connect"}
        answer = self.visitor.post("/all", data=form | {"number_a": scene.NUMBER_A})
        return answer.headers.get("Location", answer.text)

    def code(self, path: str = "codes", **more: object) -> httpx.Response:
        return self.visitor.post(f"/api/v1/{path}", json=PARTIES | more, headers=bearing(self.key))

    def try_key(self, key: str) -> int:
        return self.elsewhere.get("/api/v1/account", headers=bearing(key)).status_code

    def order(self, password: str) -> str:
        """What is said beside the password of the Extended page; "" where it is right."""
        page = self.visitor.get("/").text
        form = {name: hidden(page, name) for name in ("csrf_token", "nonce")} | {"login": "alice", "step": "quote"}
        form |= {"password": password, "number_a": scene.NUMBER_A, "number_b": scene.NUMBER_B}
        return error(self.visitor.post("/", data=form).text, "password")

    def log_in(self, password: str) -> httpx.Response:
        form = {"csrf_token": hidden(self.visitor.get("/selfcare/sign-in").text, "csrf_token")}
        return self.visitor.post("/selfcare/sign-in", data=form | {"login": "alice.web", "password": password})


def pins(count: int, pin: str = "99") -> list[Reason | None]:
    """Somebody presses so many PINs at the phone of the Hosted callback that goes on; None where one was right."""
    with db.database.connection_context():
        found = Callback.get((Callback.kind == "hosted") & (Callback.state != "ended"))
        said = [hosted.log_in(found.id, pin, 1_000_000, clock.utc_now()) for _ in range(count)]
    return [each.reason if isinstance(each, Refusal) else None for each in said]


def use_up(program: Program) -> None:
    """Each limit to its last."""
    set_limits(1, *ASKS)
    assert program.call().status_code == 201
    end_all()
    set_limits(10**9, *OF_THE_DAY)
    with db.database.connection_context():
        scene.Engine(program.call().json()["callId"]).talk(ago=60)
    end_all()

    want(prove_a="always")
    for number in range(3):
        assert program.code(again=bool(number)).json()["state"] == "being said"
        end_all()
    for _ in range(3):
        assert program.code("codes/heard", code="12").json()["title"] == "CODE_WRONG"
    want(prove_a="never")

    for _ in range(5):
        assert program.order("guessed").startswith("Account ID and password do not match.")
        assert "do not match" in program.log_in("guessed").text
    assert {program.try_key(f"webcb_{number}") for number in range(30)} == {401}
    with db.database.connection_context():
        scene.Engine(program.hosted().rsplit("/", 1)[1]).claim_hosted()
    assert pins(asks.PINS_OF_PHONE) == [Reason.WRONG_CREDENTIALS] * asks.PINS_OF_PHONE


def take_back(seconds: int) -> None:
    """No time has passed, however long this machine takes to start a server: what was counted is as fresh as it was."""
    with db.database.connection_context():
        assert query.change("UPDATE tally SET until_at = until_at + ? WHERE subject <> 'key 1'", seconds * 1_000_000)


def assert_used_up(program: Program, key: str) -> None:
    """One more of anything is refused, each limit by itself."""
    assert pins(1) == [Reason.TOO_MANY_TRIES]
    assert pins(1, "alice") == [Reason.TOO_MANY_TRIES], "the right one as well"
    end_all()
    assert "The PIN was wrong too often" in program.hosted()
    assert program.try_key(key) == 429
    assert program.order(scene.PASSWORD).startswith("That was tried too often.")
    assert "Too many tries failed." in program.log_in(scene.PASSWORD).text

    want(prove_a="always")
    assert [program.code("codes/heard", code="12").json()["title"] for _ in range(3)] == ["CODE_WRONG"] * 2 + [
        "CODE_OVER"
    ]
    with db.database.connection_context():
        right = credentials.spoken_code(
            Callback.select().where(Callback.kind == "code").order_by(Callback.requested_at.desc()).first().id
        )
    assert program.code("codes/heard", code=right).json()["title"] == "CODE_OVER"
    assert program.code(again=True).status_code == 429
    want(prove_a="never")

    for limit in ASKS:
        set_limits(1, limit)
        assert program.call().status_code == 429, limit
    for limit in OF_THE_DAY:
        set_limits(200_000, limit)  # less than a first minute of both is left of it
        assert "What may be spent in a day is spent." in program.call().text, limit


def test_nothing_that_was_counted_is_forgotten_by_a_restart(tmp_path: Path) -> None:
    chosen = scene.settings(tmp_path)
    scene.build(chosen)
    db.connect(chosen.database)
    key = make_key(requests_per_minute=100_000).key
    with serving(tmp_path) as server, Program(server, key) as program:
        use_up(program)
        set_limits(None)
        order = program.call(Idempotency_Key="order-1")
        assert order.status_code == 201
    with serving(tmp_path) as server, Program(server, key) as program:
        assert program.call(Idempotency_Key="order-1").text == order.text, "one order is one call"
        for limit in AT_A_TIME:
            set_limits(1, limit)
            assert program.call(**OTHERWISE.get(limit, {"callee": ELSEWHERE})).status_code == 429, limit
        take_back(300)
        assert_used_up(program, key)
    db.database.close()
