"""The admin site in a real Chromium whose user allows no script: a form of each kind does what it does with script."""

from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import presence_of_element_located, staleness_of
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.web.admin.pictures import PASSWORD, furnish
from tests.web.conftest import Server
from webcb.models import Audit, Callback, Rate, Tariff

WAIT_SECONDS = 20
SHEET = "Destination,First interval,Next interval,First price,Next price\n55,60,6,0.06,0.06\n"


class Visitor:
    """Who clicks and types; every press is answered by another page."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        self.browser, self.url = browser, f"{url}/admin/"

    def open(self, address: str) -> None:
        self.browser.get(self.url + address)

    def field(self, name: str):  # type: ignore[no-untyped-def]
        return self.browser.find_element(By.CSS_SELECTOR, f"main [name={name}]:not([type=hidden])")

    def write(self, **typed: str) -> None:
        for name, text in typed.items():
            self.field(name).clear()
            self.field(name).send_keys(text)

    def choose(self, name: str, words: str) -> None:
        Select(self.field(name)).select_by_visible_text(words)

    def press(self, words: str) -> None:
        self.follow(By.XPATH, f"//main//*[self::a or self::button][normalize-space()='{words}']")

    def follow(self, by: str, place: str) -> None:
        """Press, and wait for the page that comes."""
        left = self.browser.find_element(By.TAG_NAME, "html")
        self.browser.find_element(by, place).click()
        waiting = WebDriverWait(self.browser, WAIT_SECONDS)
        waiting.until(staleness_of(left))
        waiting.until(presence_of_element_located((By.TAG_NAME, "main")))

    @property
    def text(self) -> str:
        return self.browser.find_element(By.TAG_NAME, "main").text

    @property
    def rows(self) -> int:
        return len(self.browser.find_elements(By.CSS_SELECTOR, "table.list tbody tr"))


@pytest.fixture
def calls(server: Server) -> dict[str, str]:
    return furnish()


def test_a_form_of_each_kind(
    browser_without_script: webdriver.Chrome, server: Server, calls: dict[str, str], tmp_path: Path
) -> None:
    ann = Visitor(browser_without_script, server.url)
    ann.open("sign-in")
    ann.write(login="ann", password=PASSWORD)
    ann.press("Sign in")
    assert "Dashboard" in ann.text

    # A filter of a list, sorted, then its columns; the sorting stays.
    ann.open("callbacks?sort=requested_at&desc=0")
    assert ann.rows == Callback.select().count() > 1
    ann.choose("state", "talking")
    ann.write(number_b="1206")
    ann.press("Filter")
    assert ann.rows == 1
    assert "sort=requested_at" in browser_without_script.current_url
    ann.press("Clear")
    ann.browser.find_element(By.CSS_SELECTOR, "details.columns summary").click()
    ann.browser.find_element(By.CSS_SELECTOR, "input[name=column][value=number_b]").click()
    ann.press("Filter")
    heads = [each.text for each in ann.browser.find_elements(By.CSS_SELECTOR, "table.list th")]
    assert "Requested" in heads
    assert "B" not in heads

    # An edited entry; what is wrong is said beside its field, and kept.
    ann.open("tariffs/1")
    ann.write(description="Of the year", decimals="9")
    ann.press("Save")
    said = ann.browser.find_element(By.ID, "decimals-error")
    assert said.is_displayed()
    assert "whole number from 0 to 6" in said.text
    ann.write(decimals="4")
    ann.press("Save")
    assert "Tariff saved." in ann.text
    tariff = Tariff.get_by_id(1)
    assert (tariff.description, tariff.decimals) == ("Of the year", 4)

    # Fields that belong to a choice are all there; an aid has a button of its own, and saves nothing.
    ann.open("tariffs/1/rates/new")
    assert ann.field("off_peak_first_price").is_displayed()
    ann.open("off-peak-periods/1")
    ann.write(definition="hr{1-2}")
    ann.follow(By.CSS_SELECTOR, "main button.no-script")
    assert ann.field("definition").get_attribute("value") == "hr{1-2}"
    assert "saved" not in ann.text

    # A file: looked at first, then read in.
    before = Rate.select().count()
    (tmp_path / "new.csv").write_text(SHEET)
    ann.open("tariffs/1/sheet")
    ann.field("file").send_keys(str(tmp_path / "new.csv"))
    ann.follow(By.CSS_SELECTOR, "button[value=preview]")
    assert "1 dearer" in ann.text
    assert Rate.select().count() == before
    ann.follow(By.CSS_SELECTOR, "button[value=apply]")
    assert "new.csv: 1 dearer." in ann.text
    assert Rate.select().count() == before + 1

    # What cannot be undone is asked on a page of its own.
    ann.open("active-calls")
    ann.press("Disconnect …")
    assert "Disconnect this call?" in ann.text
    assert Callback.get_by_id(calls["running"]).release_asked_at is None
    ann.press("Disconnect")
    assert Callback.get_by_id(calls["running"]).release_asked_at is not None
    assert Audit.get(Audit.action == "disconnect").subject == f"callback {calls['running']}"
