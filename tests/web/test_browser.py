"""The pages in a real browser against the real server: with script, without, on a phone, in the dark."""

from pathlib import Path

import pytest
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.web import scene
from tests.web.conftest import Server, dress
from webcb import db
from webcb.models import Callback

WAIT_SECONDS_MAX = 15
CONTRAST_MIN = 4.5


@pytest.fixture(autouse=True)
def _no_callbacks_left(server: Server) -> None:
    for callback in Callback.select(Callback.id).where(Callback.state != "ended"):
        scene.Engine(callback.id).end("expired", None, None)
    db.database.close()


def find(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def await_text(browser: Chrome, text: str, selector: str = "main") -> str:
    """Wait until the text is read on the page; returns all that is read there."""

    def appeared(_: Chrome) -> str:
        seen = "".join(browser.execute_script("return document.querySelector(arguments[0])?.innerText || ''", selector))
        return seen if text in seen.replace("\u00a0", " ") else ""

    waiting = WebDriverWait(browser, WAIT_SECONDS_MAX, poll_frequency=0.1)
    return waiting.until(appeared, f"{text!r} never appeared").replace("\u00a0", " ")


def type_order(browser: Chrome, **typed: str) -> None:
    order = {
        "login": "alice",
        "password": scene.PASSWORD,
        "number_a": scene.NUMBER_A,
        "number_b": scene.NUMBER_B,
    } | typed
    for name, text in order.items():
        field = find(browser, f"[name={name}]")
        field.clear()
        field.send_keys(text)


def errors_of(browser: Chrome) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_a_call_from_the_form_to_the_bill(server: Server, browser: Chrome) -> None:
    browser.get(f"{server.url}/")
    type_order(browser, number_a=f"+{scene.DIGITS_A}")
    await_text(browser, "Brazil", "#number_a-country")
    assert find(browser, "[name=number_a]").get_attribute("value") == "+55 11 99988-7766", "as it is written there"
    quote = await_text(browser, "You can talk for up to", "#quote")
    assert "0.05 USD a minute" in quote
    assert "0.10 USD a minute" in quote
    assert not find(browser, "#show-price").is_displayed()

    find(browser, "button[value=connect]").click()
    await_text(browser, "Getting ready")
    engine = scene.Engine(browser.current_url.rsplit("/", 1)[1])
    engine.claim()
    await_text(browser, "Calling you")
    engine.ring_a()
    await_text(browser, "Your phone is ringing")
    engine.answer_a(ago=42)
    await_text(browser, "You answered")
    engine.call_b()
    await_text(browser, "Calling the other side")
    engine.ring_b()
    await_text(browser, "It is ringing there")
    assert browser.title == "It is ringing there · Callback"
    engine.answer_b(seconds_max=760, ago=42)
    talking = await_text(browser, "of 12:40")
    assert "0.150 USD" in talking
    ticked = find(browser, ".talk-now").text
    WebDriverWait(browser, WAIT_SECONDS_MAX).until(lambda _: find(browser, ".talk-now").text > ticked)
    assert find(browser, "#announce").get_attribute("textContent") == "Talking"

    engine.end("B hung up", used_a=75, used_b=61)
    bill = await_text(browser, "The other side hung up.")
    assert "0.265 USD" in bill
    assert "Balance left" in bill
    assert not find(browser, "#release").is_displayed()
    find(browser, "#again").click()
    await_text(browser, "Call anyone.")
    assert find(browser, "[name=number_b]").get_attribute("value") == "+1 206-555-0123"
    assert find(browser, "[name=password]").get_attribute("value") == ""
    assert errors_of(browser) == []


def test_hang_up_from_the_page(server: Server, browser: Chrome) -> None:
    browser.get(f"{server.url}/")
    type_order(browser)
    await_text(browser, "You can talk for up to", "#quote")
    find(browser, "button[value=connect]").click()
    await_text(browser, "Getting ready")
    engine = scene.Engine(browser.current_url.rsplit("/", 1)[1])
    engine.talk()
    await_text(browser, "of 12:40")
    find(browser, "#release button").click()
    await_text(browser, "Ending the call")
    assert Callback.get_by_id(engine.callback_id).release_asked_by == "user"
    engine.end("user released", 3, 1)
    await_text(browser, "You ended the call from this page.")


def test_enter_without_waiting_for_the_price_shows_it_and_asks_again(server: Server, browser: Chrome) -> None:
    browser.get(f"{server.url}/")
    type_order(browser, number_b=f"{scene.NUMBER_B}\n")
    await_text(browser, "Nothing rings until you press")
    assert find(browser, "[name=password]").get_attribute("value") == ""
    assert browser.switch_to.active_element.text == "Connect Us Now!"
    browser.switch_to.active_element.send_keys("\n")
    await_text(browser, "Getting ready")


def test_a_refusal_appears_beside_its_field_while_typing(server: Server, browser: Chrome) -> None:
    browser.get(f"{server.url}/")
    type_order(browser, number_b="+49 30 901820")
    await_text(browser, "There is no price for this number", "#number_b-error")
    assert find(browser, "[name=number_b]").get_attribute("aria-invalid") == "true"
    type_order(browser)
    await_text(browser, "You can talk for up to", "#quote")
    assert find(browser, "#number_b-error").text == ""


def test_another_number_takes_the_old_price_away(server: Server, browser: Chrome) -> None:
    browser.get(f"{server.url}/")
    type_order(browser)
    await_text(browser, "You can talk for up to", "#quote")
    find(browser, "[name=number_b]").send_keys("9")
    assert find(browser, "#quote").text == ""


def test_double_click_reload_and_back_are_one_callback(server: Server, browser: Chrome) -> None:
    before = Callback.select().count()
    browser.get(f"{server.url}/")
    type_order(browser)
    await_text(browser, "You can talk for up to", "#quote")
    browser.execute_script("const b = document.querySelector('button[value=connect]'); b.click(); b.click();")
    await_text(browser, "Getting ready")
    address = browser.current_url
    browser.refresh()
    await_text(browser, "Getting ready")
    assert browser.current_url == address
    browser.back()
    browser.forward()
    await_text(browser, "Getting ready")
    assert Callback.select().count() == before + 1


def test_without_script(server: Server, browser_without_script: Chrome) -> None:
    browser = browser_without_script
    browser.get(f"{server.url}/")
    type_order(browser)
    find(browser, "#show-price").click()
    # No script of ours runs, so the page is read by the driver alone; it may load anew between finding a place and reading it.
    wait = WebDriverWait(browser, WAIT_SECONDS_MAX, ignored_exceptions=[WebDriverException])
    wait.until(lambda _: "You can talk for up to" in find(browser, "#quote").text)
    find(browser, "button[value=connect]").click()
    wait.until(lambda _: "Getting ready" in find(browser, "main").text)
    engine = scene.Engine(browser.current_url.rsplit("/", 1)[1])
    engine.talk(ago=42)
    wait.until(lambda _: "of 12:40" in browser.find_element(By.TAG_NAME, "body").text)
    engine.end("A hung up", 75, 61)
    wait.until(lambda _: "You hung up." in browser.find_element(By.TAG_NAME, "body").text)
    assert "0.265" in find(browser, ".bill").text


def contrast(browser: Chrome, selector: str) -> float:
    """The contrast of a text with what is behind it (WCAG 2.1, 1.4.3)."""
    return float(
        browser.execute_script(
            """
            const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
            const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
              .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
              .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
            const element = document.querySelector(arguments[0]);
            let behind = element;
            while (rgb(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
            const [a, b] = [light(rgb(getComputedStyle(element).color)), light(rgb(getComputedStyle(behind).backgroundColor))];
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            """,
            selector,
        )
    )


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True), (320, False)])
def test_it_fits_and_can_be_read(server: Server, browser: Chrome, tmp_path: Path, width: int, dark: bool) -> None:
    dress(browser, width=width, dark=dark)

    def check(*selectors: str) -> None:
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        faint = {selector: contrast(browser, selector) for selector in selectors}
        assert {selector: found for selector, found in faint.items() if found < CONTRAST_MIN} == {}

    browser.get(f"{server.url}/")
    type_order(browser, number_b="12")
    await_text(browser, "Write it like", "#number_b-error")
    check("h1", "legend", ".form-text", "label", ".invalid-feedback:not(:empty)", ".btn-primary", ".how li span")
    type_order(browser)
    await_text(browser, "You can talk for up to", "#quote")
    check(".quote small")
    find(browser, "button[value=connect]").send_keys(Keys.ENTER)
    await_text(browser, "Getting ready")
    engine = scene.Engine(browser.current_url.rsplit("/", 1)[1])
    engine.talk(ago=42)
    await_text(browser, "of 12:40")
    check("h1", ".phone-state", ".phone .telephone", ".talk-max", ".cost span", ".btn-danger", ".actions-note")
    assert browser.save_screenshot(str(tmp_path / "talking.png"))
    engine.end("B hung up", 75, 61)
    await_text(browser, "Balance left")
    check(".bill .balance td")


def order_of_kind(browser: Chrome, server: Server, kind: str, language: str) -> None:
    """Open the page of a kind by its tab and fill in what it asks for."""
    browser.get(f"{server.url}/all?lang={language}")
    find(browser, f".kinds a[href='?kind={kind}']").click()
    WebDriverWait(browser, WAIT_SECONDS_MAX).until(lambda _: f"kind={kind}" in browser.current_url)
    typed = {"login": "alice", "number_a": scene.NUMBER_A}
    for name, text in typed.items():
        for field in browser.find_elements(By.CSS_SELECTOR, f"[name={name}]"):
            field.send_keys(text)


def test_simple_in_german_and_hosted_in_arabic(server: Server, browser: Chrome) -> None:
    order_of_kind(browser, server, "simple", "de")
    assert "0,10 USD pro Minute" in await_text(browser, "Sie können so lange sprechen", "#quote")
    find(browser, "button[value=connect]").click()
    await_text(browser, "Es geht gleich los")
    engine = scene.Engine(browser.current_url.rsplit("/", 1)[1])
    engine.talk(ago=42)
    assert "0,150 USD" in await_text(browser, "von 12:40")
    find(browser, "#release button").click()
    await_text(browser, "Der Anruf wird beendet")
    engine.end("user released", 75, 61)
    assert "0,265 USD" in await_text(browser, "Sie haben den Anruf auf dieser Seite beendet.")

    order_of_kind(browser, server, "hosted", "ar")
    assert find(browser, "html").get_attribute("dir") == "rtl"
    find(browser, "button[value=connect]").click()
    await_text(browser, "جارٍ التحضير")
    engine = scene.Engine(browser.current_url.rsplit("/", 1)[1])
    engine.claim_hosted()
    engine.ring_a()
    await_text(browser, "هاتفك يرنّ")
    engine.answer_a(ago=42)
    await_text(browser, "ابقَ على الخط واتبع ما يقوله الصوت.")
    engine.log_in("alice")
    engine.choose("12065550123")
    engine.call_b()
    engine.answer_b(seconds_max=760)
    await_text(browser, "من 12:40")
    engine.end("A hung up", 75, 61)
    await_text(browser, "لقد أنهيت المكالمة.")
    assert errors_of(browser) == []


def test_simple_and_hosted_without_script(server: Server, browser_without_script: Chrome) -> None:
    browser = browser_without_script
    wait = WebDriverWait(browser, WAIT_SECONDS_MAX, ignored_exceptions=[StaleElementReferenceException])
    order_of_kind(browser, server, "simple", "es")
    find(browser, "#show-price").click()
    wait.until(lambda _: "0,10 USD por minuto" in find(browser, "#quote").text.replace("\u00a0", " "))
    find(browser, "button[value=connect]").click()
    wait.until(lambda _: "Preparando" in find(browser, "main").text)
    engine = scene.Engine(browser.current_url.rsplit("/", 1)[1])
    engine.talk(ago=42)
    engine.end("B hung up", 75, 61)
    wait.until(lambda _: "La otra persona colgó." in find(browser, "main").text)

    order_of_kind(browser, server, "hosted", "ru")
    find(browser, "button[value=connect]").click()
    wait.until(lambda _: "Подготовка" in find(browser, "main").text)
    engine = scene.Engine(browser.current_url.rsplit("/", 1)[1])
    engine.claim_hosted()
    engine.answer_a(ago=42)
    wait.until(lambda _: "следуйте указаниям голоса" in find(browser, "main").text)
    engine.end("not logged in", 42, None)
    wait.until(lambda _: "Вход не выполнен" in find(browser, "main").text)
