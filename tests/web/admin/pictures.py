"""Every page of the admin site as a picture, every width, light and dark: `python -m tests.web.admin.pictures FOLDER [WIDTH|PAGE ...]`.

`python -m tests.web.admin.pictures docs` takes those of docs/operator again. The site is the real server over the scene of the
tests, with calls that have ended and one that goes on.
"""

import base64
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.web import scene
from tests.web.admin.pages import AFTER, IN_DOCS, PAGES
from tests.web.conftest import Server, dress, open_browser, serving
from webcb import clock, db
from webcb.billing import credentials, reception, settlement, voucher
from webcb.models import (
    Account,
    ApiKey,
    Attempt,
    Audit,
    Batch,
    Callback,
    Company,
    Connection,
    Customer,
    Destination,
    Distributor,
    ExchangeRate,
    Job,
    Leg,
    Message,
    NeverCall,
    Node,
    OffPeakPeriod,
    OwnNumber,
    Rate,
    RefusalCount,
    Route,
    SavedFilter,
    Sink,
    SinkEvent,
    Tariff,
    Unusual,
    User,
    UserSession,
    VoiceApplication,
)
from webcb.number import parse_number
from webcb.opinion import print_scores

PASSWORD = "correct horse battery"
WIDTHS = (390, 768, 1440)
HEIGHT_MAX = 2600
DOCS = Path(__file__).parents[3] / "docs" / "operator" / "images"
DOCS_WIDTH, DOCS_HEIGHT_MAX, DOCS_QUALITY = 1200, 1000, 55


def _call(seconds_ago: int) -> str:
    numbers = [parse_number(typed, "BR") for typed in (scene.NUMBER_A, scene.NUMBER_B)]
    order = reception.Order("-", "alice", None, *numbers, f"key {clock.utc_now()}", "203.0.113.1")
    placed = reception.place(order, clock.utc_now())
    assert isinstance(placed, reception.Placed), placed
    scene.Engine(placed.callback_id).talk(seconds_max=600, ago=seconds_ago)
    _in_order(placed.callback_id)
    return placed.callback_id


def _tried(callback_id: str, connection: Connection) -> None:
    """What the connection said to the INVITEs."""
    for leg in Leg.select().where((Leg.callback == callback_id) & Leg.placed_at.is_null(False)):
        answered = leg.answered_at is not None
        Attempt.create(leg=leg, position=1, connection=connection, address="udp 192.0.2.10:5060",
                       placed_at=leg.placed_at, status=200 if answered else 480,
                       reason="OK" if answered else "Temporarily Unavailable", setup_ms=1860)  # fmt: skip


# Of each leg: seconds after it was placed, whether we sent it, its first line.
WIRE = (
    (0, True, "INVITE sip:{cld}@192.0.2.10 SIP/2.0"),
    (0.03, False, "SIP/2.0 100 Trying"),
    (1.86, False, "SIP/2.0 180 Ringing"),
    (6.3, False, "SIP/2.0 200 OK"),
    (6.31, True, "ACK sip:{cld}@192.0.2.10:5060 SIP/2.0"),
    (75, True, "BYE sip:{cld}@192.0.2.10:5060 SIP/2.0"),
    (75.04, False, "SIP/2.0 200 OK"),
)
BODY = "\r\nContent-Type: application/sdp\r\nContent-Length: 0\r\n\r\nv=0\r\nm=audio 20000 RTP/AVP 0 8 101\r\n"


def _said(callback_id: str) -> None:
    """What was said on the wire, and how the voice was."""
    rungs = [
        (leg.placed_at + timedelta(seconds=after), leg, sent, line.format(cld=leg.cld))
        for leg in Leg.select().where(Leg.callback == callback_id)
        for after, sent, line in WIRE
    ]
    place = {
        "local_host": "198.51.100.1",
        "local_port": 5060,
        "remote_host": "192.0.2.10",
        "remote_port": 5060,
        "transport": "udp",
    }
    for position, (at, leg, sent, line) in enumerate(sorted(rungs, key=lambda rung: rung[0]), 1):
        method = line.split()[0] if sent else "BYE" if at > leg.placed_at + timedelta(seconds=60) else "INVITE"
        has_body = line.startswith("INVITE") or (line.endswith("OK") and method == "INVITE")
        text = f"{line}\r\nCall-ID: {leg.id}@198.51.100.1\r\nCSeq: 1 {method}{BODY if has_body else ''}"
        Message.create(
            callback=callback_id,
            position=position,
            leg=leg.name,
            at=at,
            sent=sent,
            octets=len(text),
            text=text,
            **place,
        )
    heard = {
        "codec": "PCMU",
        "received_packets": 3050,
        "sent_packets": 3048,
        "lost_packets": 4,
        "jitter_us": 2300,
        "score_milli": 4360,
    }
    Leg.update(**heard).where(Leg.callback == callback_id).execute()
    _scored(callback_id, "A", 218, 219, 217, 220, 213, 190, 171, 204, 216, 219, 220, 218)
    _scored(callback_id, "B", 220, 219, 220, 219, 0, 0, 214, 218, 220, 219, 217, 219)


def _scored(callback_id: str, name: str, *fiftieths: int) -> None:
    """How well a leg was heard over time."""
    leg = Leg.get((Leg.callback == callback_id) & (Leg.name == name))
    Leg.update(scores=print_scores(None, leg.answered_at, 5, bytes(fiftieths))).where(Leg.id == leg.id).execute()


def _in_order(callback_id: str) -> None:
    """Let what came before the talk have come before it."""
    talking_at = Callback.get_by_id(callback_id).talking_at

    def before(seconds: float) -> datetime:
        return talking_at - timedelta(seconds=seconds)

    Callback.update(requested_at=before(14.1), claimed_at=before(14.08)).where(Callback.id == callback_id).execute()
    for name, placed, ringing, answered in (("A", 14.06, 12.2, 6.4), ("B", 6.38, 4.1, 0)):
        moments = {"placed_at": before(placed), "ringing_at": before(ringing), "answered_at": before(answered)}
        Leg.update(**moments).where((Leg.callback == callback_id) & (Leg.name == name)).execute()


def furnish() -> dict[str, str]:
    """Rows for every page, by the open database; returns the callbacks that pages name."""
    db.database.connect(reuse_if_open=True)
    credentials.use_key(scene.SECRET_KEY)
    at = clock.utc_now()
    User.create(login="ann", name="Ann Operator", mail="ann@example.com", password=credentials.hash_password(PASSWORD),
                role="administrator")  # fmt: skip
    carrier = Connection.get()
    Connection.update(state="up", state_at=at, probe_seconds=30, capacity=60).execute()
    Node.update(started_at=at - timedelta(days=3), heard_at=at + timedelta(hours=1)).execute()
    Node.create(name="sao-paulo-2", heard_at=at.replace(year=at.year - 1))
    VoiceApplication.update(prompts_folder="brand", account_id_rule="s/^/cb/").where(
        VoiceApplication.path == "-"
    ).execute()
    OffPeakPeriod.create(name="Nights and weekends", definition="hr{6pm-5am} wd{mo-fr}, wd{sa su}")
    Rate.update(formula="1x60@first; 2x60@0.04; fee 0.02; *x6@next").where(Rate.id == 1).execute()
    Route.create(tariff=Tariff.get(Tariff.name == "Carrier"), destination=Destination.get(), category=1, preference=8)
    Distributor.create(name="Kiosk Central")
    Batch.create(name="First cards", customer=Customer.get(), created_at=at)
    ExchangeRate.create(currency="EUR", day="2026-01-01", per_base_micros=920_000)
    ExchangeRate.create(currency="USD", day="2026-01-01", per_base_micros=1_000_000)
    voucher.make("Kiosk spring", 6, 10_000_000, "USD", None, "user:ann", at)
    RefusalCount.create(hour_at=at, reason="too many tries", refusals=25)
    _late_pages(at)
    ended = ""
    for used_a, used_b, ending in ((61, 61, "A hung up"), (130, 125, "B hung up"), (30, 0, "B did not answer")):
        ended_id = _call(used_a)
        legs = [
            settlement.LegUsage(
                name, clock.utc_now() if used else None, clock.utc_now(), used * 1_000_000, 800, 16, carrier.id
            )  # type: ignore[arg-type]
            for name, used in (("A", used_a), ("B", used_b))
        ]
        settlement.settle(ended_id, legs, ending, bool(used_b), clock.utc_now())
        _tried(ended_id, carrier)
        ended = ended or ended_id
    Account.update(blocked=False).execute()
    _said(ended)
    running = _call(61)
    _scored(running, "A", 219, 220, 212, 196, 217, 220)
    _scored(running, "B", 220, 219, 218, 220, 220, 219)
    _told(ended, at)
    db.database.close()
    return {"ended": ended, "running": running, "month_ago": f"{at - timedelta(days=29):%Y-%m-%d}"}


def _late_pages(at: datetime) -> None:
    """Rows of what an operator has after a while: sessions, filters, numbers, work that was done and that goes on."""
    ann = User.get()
    Node.create(name="maintenance", heard_at=at + timedelta(hours=1), draining=True)
    OwnNumber.create(digits="551140028922", description="Helpdesk")
    Company.create(name="Easy Call Telecom Ltda.", address="Av. Paulista 1000, São Paulo", tax_number="12.345.678/0001-90",
                   phone="+55 11 4002-8922", mail="care@example.com")  # fmt: skip
    facts = {"calls": 64, "answered": 61, "short": 58, "seconds": 412, "charges": {"USD": 18_300_000}, "numbers": 60,
             "accounts": 1, "sources": 2}  # fmt: skip
    found = {"at": at, "application": "Callback", "facts": json.dumps(facts)}
    Unusual.create(pattern="many calls", kind="account", subject="alice", seen=64, usual=5, mail_due_at=at, **found)
    Unusual.create(pattern="short calls", kind="number B", subject=scene.DIGITS_B, seen=58, usual=0, closed_at=at,
                   closed_by="user:ann", **found)  # fmt: skip
    NeverCall.create(number=scene.DIGITS_A[:-1] + "9", asked_at=at)
    SavedFilter.create(user=ann, listing="accounts", name="Blocked ones", query="state=blocked")
    agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14.4; rv:124.0) Gecko/20100101 Firefox/124.0"
    UserSession.create(user=ann, token_hash="0" * 64, source="198.51.100.7", agent=agent, began_at=at, seen_at=at)
    Audit.create(at=at, made_by="user:ann", action="change", subject="tariff Callback",
                 detail="connect_fee: 0.00 -> 0.05, decimals: 5 -> 2, off_peak_period: None -> Nights and weekends")  # fmt: skip
    plan = {"kind": "generate accounts", "plan": "{}", "asked_at": at, "asked_by": "user:ann"}
    Job.create(state="done", total=1000, done=1000, ended_at=at, said="1,000 accounts are generated.", **plan)
    Job.create(state="running", total=100_000, done=42_000, lease_until=at, owner="test:1", **plan)


def _told(callback_id: str, at: datetime) -> None:
    """A program that was told of a callback, and one that was not to be reached."""
    alice = Account.get(Account.login == "alice")
    application = VoiceApplication.get(VoiceApplication.path == "-")
    for name, account, scopes in (("CRM", alice, "calls,account"), ("Nightly reports", None, "accounts,funds")):
        key = ApiKey.create(name=name, key_hash=name.ljust(64, "0"), account=account, scopes=scopes, made_at=at,
                            voice_application=application if account else None, networks="192.0.2.0/24")  # fmt: skip
    sink = Sink.create(callback=callback_id, api_key=key, url="https://crm.example.com/calls")
    for state, now in (
        ("calling A", {"delivered_at": at, "said": "204"}),
        ("talking", {"due_at": at, "tries": 2, "said": "503 Service Unavailable"}),
        ("ended", {"dead_at": at, "tries": 9, "said": "no answer within 10 s"}),
    ):
        SinkEvent.create(sink=sink, state=state, at=at, **now)


@contextmanager
def shown(folder: Path) -> Iterator[tuple[Server, Chrome, dict[str, str]]]:
    """The furnished site, a browser of its own, and what pages name."""
    with ExitStack() as ends:
        scene.build(scene.settings(folder))
        server = ends.enter_context(serving(folder))
        calls = furnish()
        browser = open_browser(folder / "profile")
        ends.callback(browser.quit)
        yield server, browser, calls


def sign_in(browser: Chrome, server: Server) -> None:
    """Ann signs in."""
    browser.get(f"{server.url}/admin/sign-in")
    browser.find_element(By.NAME, "login").send_keys("ann")
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "main button").click()


def take(browser: Chrome, path: Path, width: int) -> None:
    """A picture of the whole page."""
    height = browser.execute_script("return document.documentElement.scrollHeight")
    metrics = {"width": width, "height": min(int(height), HEIGHT_MAX), "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    path.write_bytes(_png(browser))


def _png(browser: Chrome) -> bytes:
    return bytes(browser.get_screenshot_as_png())


def for_docs() -> None:
    """The pictures of docs/operator, small enough for the tree."""
    DOCS.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as temporary, shown(Path(temporary)) as (server, browser, calls):
        sign_in(browser, server)
        browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        for name in IN_DOCS:
            metrics = {"width": DOCS_WIDTH, "height": 700, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            browser.get(f"{server.url}/admin/{PAGES[name].format(**calls)}")
            height = int(browser.execute_script("return document.querySelector('main').scrollHeight")) + 60
            metrics["height"] = max(560, min(height, DOCS_HEIGHT_MAX))
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            asked = {"format": "webp", "quality": DOCS_QUALITY}
            taken = browser.execute_cdp_cmd("Page.captureScreenshot", asked)
            (DOCS / f"{name}.webp").write_bytes(base64.b64decode(taken["data"]))


def visit(browser: Chrome, address: str, done: str = "") -> None:
    """Open a page of the site, and do something on it: what comes of that is there when this returns."""
    browser.get(address)
    if done:
        browser.execute_script(f"window.isLeft = true; {done}")
        is_there = "return document.readyState === 'complete' && !window.isLeft"
        if ".click()" in done:
            WebDriverWait(browser, 10).until(lambda it: it.execute_script(is_there))


def main(folder: Path, widths: tuple[int, ...], only: set[str]) -> None:
    """All pages, or `only` those, in every width, light and dark."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as temporary, shown(Path(temporary)) as (server, browser, calls):
        for name, (page, done) in ({each: (page, "") for each, page in PAGES.items()} | AFTER).items():
            if name == "dashboard":
                sign_in(browser, server)
            if only and name not in only:
                continue
            for width in widths:
                for dark in (False, True):
                    dress(browser, width=width, dark=dark)
                    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
                    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
                    visit(browser, f"{server.url}/admin/{page.format(**calls)}", done)
                    take(browser, folder / f"{name}-{width}{'-dark' if dark else ''}.png", width)


if __name__ == "__main__" and sys.argv[1:] == ["docs"]:
    for_docs()
elif __name__ == "__main__":
    asked = sys.argv[2:]
    main(
        Path(sys.argv[1]),
        tuple(int(each) for each in asked if each.isdigit()) or WIDTHS,
        {each for each in asked if not each.isdigit()},
    )
