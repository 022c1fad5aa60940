"""Trigger pages and self-care in real Chromium: no serious barrier, no complaint, no sideways scroll; light and dark, at two widths."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.web import scene
from tests.web.admin.test_in_browser import AXE, LOOKS, REFUSED, RUN_AXE
from tests.web.conftest import Server, dress
from webcb import clock, db
from webcb.billing import credentials, reception
from webcb.models import Account, Callback, Customer, Node, Tally, VoiceApplication
from webcb.number import parse_number

WAIT_SECONDS = 20
AXE_SECONDS_MAX = 120  # where the machine does much else
OWN_PAGES = ("", "call", "calls", "calls/{xdr}", "statements", "numbers", "settings")
COMPANY_PAGES = ("company", "company/calls", "statements", "settings")


@pytest.fixture(scope="module")
def talk(server: Server) -> dict[str, str]:
    """A call of alice that has ended, and one that goes on."""
    db.database.connect(reuse_if_open=True)
    Node.update(heard_at=scene.FAR_AHEAD).execute()
    for key in ("ended", "going"):
        numbers = (parse_number(scene.NUMBER_A, "BR"), parse_number(scene.NUMBER_B, "BR"))
        order = reception.Order("-", "alice", None, *numbers, key, "127.0.0.1")
        placed = reception.place(order, clock.utc_now())
        assert isinstance(placed, reception.Placed)
        engine = scene.Engine(placed.callback_id)
        engine.talk(ago=70)
        if key == "ended":
            engine.end("A hung up", 75, 70)
    db.database.close()
    return {"xdr": "1"}


@pytest.fixture
def alice(browser: Chrome, server: Server, talk: dict[str, str]) -> Iterator[Chrome]:
    log_in(browser, server, "alice.web")
    yield browser


def log_in(browser: Chrome, server: Server, login: str) -> None:
    browser.get(f"{server.url}/selfcare/sign-in")
    browser.find_element(By.NAME, "login").send_keys(login)
    browser.find_element(By.NAME, "password").send_keys(scene.PASSWORD, Keys.ENTER)
    WebDriverWait(browser, WAIT_SECONDS).until(lambda it: "/sign-in" not in it.current_url)


def assert_no_barrier(browser: Chrome, name: str) -> None:
    """What stands there now, wide in the light and narrow in the dark."""
    browser.set_script_timeout(AXE_SECONDS_MAX)
    browser.execute_script(AXE)
    for width, dark in ((1440, False), (390, True)):
        dress(browser, width=width, dark=dark, still=True)
        assert browser.execute_async_script(RUN_AXE, LOOKS if dark else None, True) == [], (name, width)
        wide, view = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= view, (name, wide)
    dress(browser, width=1440, still=True)


def assert_no_complaint(browser: Chrome) -> None:
    complaints = [entry["message"] for entry in browser.get_log("browser")]
    assert [each for each in complaints if REFUSED not in each] == []


def test_self_care(alice: Chrome, server: Server, talk: dict[str, str]) -> None:
    for page in OWN_PAGES:
        alice.get(f"{server.url}/selfcare/{page.format(**talk)}")
        assert "500" not in alice.title
        assert_no_barrier(alice, page)
    assert_no_complaint(alice)


def test_self_care_of_a_customer(browser: Chrome, server: Server, talk: dict[str, str]) -> None:
    db.database.connect(reuse_if_open=True)
    password = Account.get(Account.login == "alice").web_password
    Customer.update(web_login="easy", web_password=password).where(Customer.name == "Easy Call").execute()
    db.database.close()
    log_in(browser, server, "easy")
    for page in COMPANY_PAGES:
        browser.get(f"{server.url}/selfcare/{page}")
        assert_no_barrier(browser, page)
    assert_no_complaint(browser)


def test_before_the_log_in(browser: Chrome, server: Server, talk: dict[str, str]) -> None:
    """Log-in, refused and not; a link that is none; an address that is none."""
    browser.get(f"{server.url}/selfcare/sign-in")
    assert_no_barrier(browser, "sign-in")
    browser.find_element(By.NAME, "login").send_keys("nobody")
    browser.find_element(By.NAME, "password").send_keys("guessed", Keys.ENTER)
    WebDriverWait(browser, WAIT_SECONDS).until(lambda it: it.find_elements(By.CSS_SELECTOR, ".is-invalid"))
    assert_no_barrier(browser, "sign-in refused")
    for page in ("selfcare/forgotten", "selfcare/recover/1/x", "nowhere"):
        browser.get(f"{server.url}/{page}")
        assert_no_barrier(browser, page)


def test_a_call_and_its_bill(browser: Chrome, server: Server, talk: dict[str, str]) -> None:
    """The page that is followed: nothing in the way while it rings, while they talk and when the bill stands there; by keys alone."""
    browser.get(f"{server.url}/all?kind=simple")
    browser.find_element(By.NAME, "login").send_keys("alice")
    browser.find_element(By.NAME, "number_a").send_keys(scene.NUMBER_A, Keys.ENTER)
    WebDriverWait(browser, WAIT_SECONDS).until(lambda it: it.find_elements(By.NAME, "quoted"))
    assert_no_barrier(browser, "price")
    if "/callbacks/" not in browser.current_url:
        press(browser, "connect")
    WebDriverWait(browser, WAIT_SECONDS).until(lambda it: "/callbacks/" in it.current_url)
    db.database.connect(reuse_if_open=True)
    engine = scene.Engine(browser.current_url.rsplit("/", 1)[1])
    engine.talk(ago=42)
    WebDriverWait(browser, WAIT_SECONDS).until(lambda it: it.find_elements(By.CSS_SELECTOR, ".talk-now"))
    assert_no_barrier(browser, "talking")
    engine.end("B hung up", 75, 61)
    db.database.close()
    WebDriverWait(browser, WAIT_SECONDS).until(lambda it: it.find_elements(By.CSS_SELECTOR, "table.bill"))
    assert_no_barrier(browser, "bill")
    assert_no_complaint(browser)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_trigger_pages(browser: Chrome, server: Server, language: str) -> None:
    for address in ("/", "/all?kind=simple", "/all?kind=hosted", "/closed"):
        mark = "&" if "?" in address else "?"
        browser.get(f"{server.url}{address}{mark}lang={language}")
        assert_no_barrier(browser, address)
    assert browser.find_element(By.TAG_NAME, "html").get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
    assert_no_complaint(browser)


def test_full_and_down(browser: Chrome, server: Server, talk: dict[str, str]) -> None:
    for page, change, undo in (
        ("full", VoiceApplication.update(concurrent_max=1), VoiceApplication.update(concurrent_max=None)),
        ("down", Node.update(heard_at=scene.LONG_AGO), Node.update(heard_at=scene.FAR_AHEAD)),
    ):
        with db.database.connection_context():
            change.execute()
        browser.get(f"{server.url}/")
        assert bool(browser.find_elements(By.CSS_SELECTOR, ".alert" if page == "full" else ".shut"))
        assert_no_barrier(browser, page)
        with db.database.connection_context():
            undo.execute()


def press(browser: Chrome, step: str) -> None:
    """By keyboard: a click can miss a page whose width has just changed."""
    browser.find_element(By.CSS_SELECTOR, f"button[value={step}]").send_keys(Keys.ENTER)


def ask_for_a_code(browser: Chrome, server: Server, language: str) -> None:
    """Hosted, whose A is to be proven: the first press has A told a code."""
    db.database.connect(reuse_if_open=True)
    VoiceApplication.update(prove_a="always").where(VoiceApplication.path == "all").execute()
    Tally.delete().execute()
    db.database.close()
    browser.get(f"{server.url}/all?kind=hosted&lang={language}")
    browser.find_element(By.NAME, "number_a").send_keys(scene.NUMBER_A)
    press(browser, "connect")
    WebDriverWait(browser, WAIT_SECONDS).until(lambda it: it.find_elements(By.NAME, "code"))


@pytest.mark.parametrize("language", ["en", pytest.param("ar", marks=pytest.mark.soak)])
def test_the_code(browser: Chrome, server: Server, language: str) -> None:
    ask_for_a_code(browser, server, language)
    assert browser.switch_to.active_element.get_attribute("name") == "code"
    assert_no_barrier(browser, "code")
    browser.find_element(By.NAME, "code").send_keys("12")
    press(browser, "connect")
    WebDriverWait(browser, WAIT_SECONDS).until(lambda it: it.find_elements(By.CSS_SELECTOR, "[name=code].is-invalid"))
    assert_no_barrier(browser, "wrong code")
    db.database.connect(reuse_if_open=True)
    told = Callback.select().where(Callback.kind == "code").order_by(Callback.requested_at.desc()).first()
    code = credentials.spoken_code(told.id)
    db.database.close()
    browser.find_element(By.NAME, "code").send_keys(code)
    press(browser, "connect")
    WebDriverWait(browser, WAIT_SECONDS).until(lambda it: "/callbacks/" in it.current_url)
    assert_no_complaint(browser)
    db.database.connect(reuse_if_open=True)
    for each in Callback.select().where(Callback.state != "ended"):
        scene.Engine(each.id).end("expired", None, None)
    db.database.close()
