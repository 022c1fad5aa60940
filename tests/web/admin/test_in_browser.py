"""The admin site in real Chromium: no page has a serious barrier, a complaint of the browser or a sideways scroll; live pages live."""

from importlib.resources import files
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.web import scene
from tests.web.admin.conftest import PASSWORD
from tests.web.conftest import Server, dress
from webcb import clock, db
from webcb.billing import credentials, reception, settlement
from webcb.models import Account, Connection, User
from webcb.number import parse_number

AXE = files("axe_core_python").joinpath("axe.min.js").read_text()
RUN_AXE = """
    const done = arguments[0];
    axe.run({resultTypes: ['violations']}).then(found => done(found.violations
      .filter(each => ['serious', 'critical'].includes(each.impact))
      .map(each => `${each.id}: ${each.nodes[0].html}`)));
"""
WAIT_SECONDS = 10


def call() -> str:
    """A callback of alice that goes on."""
    numbers = [parse_number(typed, "BR") for typed in (scene.NUMBER_A, scene.NUMBER_B)]
    order = reception.Order("-", "alice", None, *numbers, f"key {clock.utc_now()}", "203.0.113.1")
    placed = reception.place(order, clock.utc_now())
    assert isinstance(placed, reception.Placed)
    scene.Engine(placed.callback_id).talk(seconds_max=600, ago=61)
    return placed.callback_id


@pytest.fixture(scope="module")
def calls(server: Server) -> list[str]:
    """One callback that has ended, one that goes on; Ann is an administrator."""
    db.database.connect(reuse_if_open=True)
    credentials.use_key(scene.SECRET_KEY)
    User.create(login="ann", password=credentials.hash_password(PASSWORD), role="administrator")
    ended, running = call(), call()
    at, carrier = clock.utc_now(), Connection.get()
    legs = [settlement.LegUsage(name, at, at, 61_000_000, 800, 16, carrier.id) for name in ("A", "B")]  # type: ignore[arg-type]
    settlement.settle(ended, legs, "A hung up", True, at)
    return [ended, running]


@pytest.fixture
def ann(browser: webdriver.Chrome, server: Server, calls: list[str]) -> webdriver.Chrome:
    browser.get(f"{server.url}/admin/sign-in")
    browser.find_element(By.NAME, "login").send_keys("ann")
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "main button").click()
    WebDriverWait(browser, WAIT_SECONDS).until(lambda it: it.title.startswith("Dashboard"))
    return browser


PAGES = ("", "accounts", "accounts/1", "accounts/1/funds", "accounts/1/statement", "account-generator", "tariffs/1/sheet",
         "tariffs/new", "callbacks", "callbacks/{ended}", "callbacks/{running}", "active-calls", "statistics", "checklist",
         "test-number?number=%2B12065550123&product=Callback",
         "price-calculator?application=-&login=alice&number_a=%2B5511999887766&number_b=%2B12065550123")  # fmt: skip
PAGES_DARK = ("", "accounts/1/funds", "callbacks/{ended}", "active-calls", "statistics", "checklist")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_has_a_serious_barrier(ann: webdriver.Chrome, server: Server, calls: list[str], dark: bool) -> None:
    dress(ann, width=390 if dark else 1440, dark=dark)
    for page in PAGES_DARK if dark else PAGES:
        ann.get(f"{server.url}/admin/{page.format(ended=calls[0], running=calls[1])}")
        ann.execute_script(AXE)
        assert ann.execute_async_script(RUN_AXE) == [], page
        width, view = ann.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= view, (page, width)
    assert [entry["message"] for entry in ann.get_log("browser")] == []


def test_active_calls_go_on_without_a_reload(ann: webdriver.Chrome, server: Server, calls: list[str]) -> None:
    ann.get(f"{server.url}/admin/active-calls")
    ann.execute_script("window.stayed = true")
    shown = ann.find_element(By.CSS_SELECTOR, "tbody .is-duration").text
    WebDriverWait(ann, WAIT_SECONDS).until(
        lambda it: it.execute_script("return document.querySelector('tbody .is-duration').textContent") != shown
    )
    assert ann.execute_script("return window.stayed")
    db.database.connect(reuse_if_open=True)
    Account.update(blocked=False).execute()
    at = clock.utc_now()
    legs = [settlement.LegUsage(name, at, at, 70_000_000, 800, 16, None) for name in ("A", "B")]  # type: ignore[arg-type]
    settlement.settle(calls[1], legs, "A hung up", True, at)
    WebDriverWait(ann, WAIT_SECONDS).until(lambda it: "Nobody is talking" in it.page_source)


def test_a_rate_sheet_is_uploaded_by_hand(ann: webdriver.Chrome, server: Server, tmp_path: Path) -> None:
    sheet = tmp_path / "new.csv"
    sheet.write_text("Destination,First interval,Next interval,First price,Next price\n55,60,6,0.06,0.06\n")
    ann.get(f"{server.url}/admin/tariffs/1/sheet")
    ann.find_element(By.ID, "file").send_keys(str(sheet))
    ann.find_element(By.CSS_SELECTOR, "button[value=preview]").click()
    assert "1 dearer" in ann.find_element(By.TAG_NAME, "main").text
    ann.find_element(By.CSS_SELECTOR, "button[value=apply]").click()
    assert "new.csv: 1 dearer." in ann.find_element(By.TAG_NAME, "main").text
