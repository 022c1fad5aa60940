"""Every page of the admin site as a picture, every width, light and dark: `python -m tests.web.admin.pictures FOLDER [WIDTH|PAGE ...]`.

`python -m tests.web.admin.pictures docs` takes those of docs/operator again. The site is the real server over the scene of the
tests, with calls that have ended and one that goes on.
"""

import base64
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.web import scene
from tests.web.conftest import Server, dress, open_browser, serving
from webcb import clock, db
from webcb.billing import credentials, reception, settlement, voucher
from webcb.models import (
    Account,
    Batch,
    Connection,
    Customer,
    Destination,
    Distributor,
    ExchangeRate,
    Node,
    OffPeakPeriod,
    Rate,
    RefusalCount,
    Route,
    Tariff,
    User,
    VoiceApplication,
)
from webcb.number import parse_number

PASSWORD = "correct horse battery"
WIDTHS = (390, 768, 1440)
HEIGHT_MAX = 2600
DOCS = Path(__file__).parents[3] / "docs" / "operator" / "images"
DOCS_WIDTH, DOCS_HEIGHT_MAX, DOCS_QUALITY = 1200, 1000, 55

# The pages that docs/operator shows.
IN_DOCS = (
    "dashboard",
    "voice-application",
    "nodes",
    "connection",
    "routing",
    "prompts",
    "off-peak-period",
    "rate",
    "rate-sheet",
    "product",
    "usage-charges",
    "customer",
    "accounts",
    "account-generator",
    "account-funds",
    "vouchers-new",
    "active-calls",
    "callback",
    "statistics",
    "test-number",
    "alarms",
    "wizard",
    "checklist",
    "users",
)

# The name of a picture -> the page.
PAGES = {
    "sign-in": "sign-in",
    "dashboard": "",
    "voice-applications": "voice-applications",
    "voice-application": "voice-applications/1",
    "own-numbers": "own-numbers",
    "nodes": "nodes",
    "vendors": "vendors",
    "vendor": "vendors/1",
    "connections": "connections",
    "connection": "connections/1",
    "routing": "routing",
    "prompts": "prompts",
    "prompt": "prompts/brand/en/welcome",
    "destinations": "destinations",
    "off-peak-periods": "off-peak-periods",
    "off-peak-period": "off-peak-periods/1",
    "tariffs": "tariffs",
    "tariff": "tariffs/1",
    "rates": "tariffs/1/rates",
    "rate": "tariffs/1/rates/1",
    "rate-sheet": "tariffs/1/sheet",
    "products": "products",
    "product": "products/1",
    "usage-charges": "products/1/usage-charges",
    "usage-charge": "products/1/usage-charges/1",
    "customers": "customers",
    "customer": "customers/1",
    "customer-funds": "customers/1/funds",
    "accounts": "accounts",
    "account": "accounts/1",
    "account-funds": "accounts/1/funds",
    "account-statement": "accounts/1/statement",
    "account-generator": "account-generator",
    "batches": "batches",
    "batch": "batches/1",
    "vouchers": "vouchers",
    "vouchers-new": "vouchers/new",
    "distributors": "distributors",
    "jobs": "jobs",
    "active-calls": "active-calls",
    "callbacks": "callbacks",
    "callback": "callbacks/{ended}",
    "callback-running": "callbacks/{running}",
    "xdrs": "xdrs",
    "attempts": "attempts",
    "statistics": "statistics",
    "test-number": "test-number?number=%2B12065550123&product=Callback",
    "price-calculator": "price-calculator?application=-&login=alice&number_a=%2B5511999887766&number_b=%2B12065550123",
    "refusals": "refusals",
    "never-called": "never-called",
    "alarms": "alarms",
    "wizard": "setup/1",
    "wizard-service": "setup/4",
    "checklist": "checklist",
    "currencies": "currencies",
    "company": "company",
    "users": "users",
    "user": "users/1",
    "api-keys": "api-keys",
    "webhooks": "webhooks",
    "audit": "audit",
    "settings": "settings",
    "me": "me",
    "search": "search?q=alice",
    "error": "tariffs/999",
}


def _call(seconds_ago: int) -> str:
    numbers = [parse_number(typed, "BR") for typed in (scene.NUMBER_A, scene.NUMBER_B)]
    order = reception.Order("-", "alice", None, *numbers, f"key {clock.utc_now()}", "203.0.113.1")
    placed = reception.place(order, clock.utc_now())
    assert isinstance(placed, reception.Placed), placed
    scene.Engine(placed.callback_id).talk(seconds_max=600, ago=seconds_ago)
    return placed.callback_id


def furnish() -> dict[str, str]:
    """Rows for every page, by the open database; returns the callbacks that pages name."""
    db.database.connect(reuse_if_open=True)
    credentials.use_key(scene.SECRET_KEY)
    at = clock.utc_now()
    User.create(login="ann", name="Ann Operator", mail="ann@example.com", password=credentials.hash_password(PASSWORD),
                role="administrator")  # fmt: skip
    carrier = Connection.get()
    Connection.update(state="up", state_at=at, probe_seconds=30, capacity=60).execute()
    Node.update(started_at=at).execute()
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
        ended = ended or ended_id
    Account.update(blocked=False).execute()
    running = _call(61)
    db.database.close()
    return {"ended": ended, "running": running}


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


def main(folder: Path, widths: tuple[int, ...], only: set[str]) -> None:
    """All pages, or `only` those, in every width, light and dark."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as temporary, shown(Path(temporary)) as (server, browser, calls):
        for name, page in PAGES.items():
            if name == "dashboard":
                sign_in(browser, server)
            if only and name not in only:
                continue
            for width in widths:
                for dark in (False, True):
                    dress(browser, width=width, dark=dark)
                    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
                    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
                    browser.get(f"{server.url}/admin/{page.format(**calls)}")
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
