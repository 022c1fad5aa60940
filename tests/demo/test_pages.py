"""All three kinds of callback in a real Chromium, to the end, on the demo: with script and without, in two languages."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.demo.test_show import HOST, Demo, demo
from tests.ports import free_port
from tests.web.conftest import open_browser
from webcb.demo.phones import CALLER, FINGER, SHORT

WAIT_SECONDS_MAX = 40


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, str]]:
    """A demo that has come up, and the address of its pages."""
    port = free_port()
    with demo(tmp_path_factory.mktemp("d"), "--http-port", str(port)) as up:
        up.wait_until_told("To end all of it press Ctrl-C")
        yield up, f"http://{HOST}:{port}"


@pytest.fixture
def visitor(has_script: bool, tmp_path: Path) -> Iterator[Chrome]:
    """A browser, with script or without."""
    driver = open_browser(tmp_path / "profile", script=has_script)
    yield driver
    driver.quit()
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)


@dataclass(frozen=True)
class Words:
    """What is read in a language."""

    language: str
    other_hung_up: str
    you_ended: str
    talking: str
    total: str


ENGLISH = Words("en", "The other side hung up.", "You ended the call from this page.", "You are connected.", "Total")
PORTUGUESE = Words(
    "pt", "A outra pessoa desligou.", "Você encerrou a chamada por esta página.", "Vocês estão conectados.", "Total"
)
ARABIC = Words("ar", "أغلق الطرف الآخر الخط.", "أنهيت المكالمة من هذه الصفحة.", "أنتما متصلان.", "المجموع")
OFTEN = [pytest.param(True, ENGLISH, id="script-en"), pytest.param(False, PORTUGUESE, id="no-script-pt")]
# All kinds, with and without script, in a language of each direction of writing and one more.
SELDOM = [
    pytest.param(True, PORTUGUESE, id="script-pt", marks=pytest.mark.soak),
    pytest.param(False, ENGLISH, id="no-script-en", marks=pytest.mark.soak),
    pytest.param(True, ARABIC, id="script-ar", marks=pytest.mark.soak),
    pytest.param(False, ARABIC, id="no-script-ar", marks=pytest.mark.soak),
]
TYPED = {"login": "alice", "password": "demo-alice", "number_a": f"+{CALLER.number}", "number_b": f"+{SHORT.number}"}


def read(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "main").text.replace("\u00a0", " ")


def await_text(browser: Chrome, text: str) -> str:
    waiting = WebDriverWait(browser, WAIT_SECONDS_MAX, 0.2, ignored_exceptions=[StaleElementReferenceException])
    try:
        return waiting.until(lambda _: text in (seen := read(browser)) and seen)
    except TimeoutException:
        raise AssertionError(f"{text!r} never appeared in: {read(browser)}") from None


def order(browser: Chrome, pages: str, kind: str, language: str, **typed: str) -> None:
    """Fill in the form of a kind, see the price where there is one, and press."""
    browser.get(f"{pages}/?lang={language}&kind={kind}")
    for name, text in (TYPED | typed).items():
        for field in browser.find_elements(By.NAME, name):
            field.send_keys(text)
    if kind != "hosted":
        for button in browser.find_elements(By.ID, "show-price"):
            if button.is_displayed():
                button.click()
        await_text(browser, "USD")
    browser.find_element(By.CSS_SELECTOR, "button[value=connect]").click()
    WebDriverWait(browser, WAIT_SECONDS_MAX).until(lambda _: "/callbacks/" in browser.current_url)


def hang_up(browser: Chrome) -> None:
    """Press the button; without script the page may have loaded itself anew between its being found and its being pressed."""

    def press(_: Chrome) -> bool:
        browser.find_element(By.CSS_SELECTOR, "#release button").click()
        return True

    WebDriverWait(browser, WAIT_SECONDS_MAX, 0.2, ignored_exceptions=[StaleElementReferenceException]).until(press)


@pytest.mark.parametrize(("has_script", "words"), [*OFTEN, *SELDOM])
def test_all_three_kinds_to_the_end(shown: tuple[Demo, str], visitor: Chrome, words: Words) -> None:
    _, pages = shown
    order(visitor, pages, "extended", words.language)
    extended = visitor.current_window_handle
    visitor.switch_to.new_window("tab")
    order(visitor, pages, "hosted", words.language, number_a=f"+{FINGER.number}")  # meanwhile it runs on

    hosted = visitor.current_window_handle
    visitor.switch_to.new_window("tab")
    order(visitor, pages, "simple", words.language)
    await_text(visitor, words.talking)
    hang_up(visitor)
    assert words.total in await_text(visitor, words.you_ended)

    visitor.switch_to.window(extended)
    bill = await_text(visitor, words.other_hung_up)
    assert words.total in bill
    assert "0:10" in bill or "0:11" in bill  # the phone of B hangs up after ten seconds

    visitor.switch_to.window(hosted)  # by its keys it has chosen the helpdesk
    await_text(visitor, words.talking)
    assert "+1 206-555-0199" in read(visitor)
    hang_up(visitor)
    assert words.total in await_text(visitor, words.you_ended)
