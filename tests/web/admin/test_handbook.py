"""The handbook by clicking alone: from an empty database to callbacks on the demo carrier's phones, in real Chromium."""

import csv
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.ports import free_port, free_ports
from tests.waiting import wait_until
from webcb import db, settings
from webcb.demo.carrier import CREDENTIALS
from webcb.demo.phones import CALLER, HELPDESK, SPEAKS, Phone, Voice
from webcb.demo.reach import pages_answer, sip_answers
from webcb.models import Callback, Node, Xdr
from webcb.settings import Bind

WAIT_SECONDS = 30
START_SECONDS = 60
COMMAND = [sys.executable, "-m", "webcb.cli"]
PIN = "1000"
# Follows the voice: types its PIN, chooses to call, dials.
PIN_PHONE = Phone("551155550103", "Brazil", "types a PIN", voice=Voice.CANON, keys=f" {PIN}# 1{SPEAKS.number}#")
# The demo's carrier with this phone beside its own.
CARRIER = f"""
import sys
from webcb.demo import carrier
from webcb.demo.phones import Phone, Voice
carrier.PHONES += (Phone({PIN_PHONE.number!r}, "Brazil", "types a PIN", voice=Voice.CANON, keys={PIN_PHONE.keys!r}),)
sys.exit(carrier.main())
"""


@dataclass
class Site:
    """An installation as its operator has made it by `webcb init`, served; and a carrier that knows nothing of it."""

    folder: Path
    pages: Bind
    carrier: Bind
    password: str

    @property
    def url(self) -> str:
        return f"http://{self.pages}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with free_ports() as ports:
        pages = Bind("127.0.0.1", free_port())
        engine, carrier = Bind("127.0.0.1", ports[0]), Bind("127.0.0.1", ports[1])
        own = {
            "WEBCB_DATA_DIR": str(tmp_path / "state"),
            "WEBCB_HTTP_BIND": str(pages),
            "WEBCB_HTTP_WORKERS": "1",
            "WEBCB_SIP_BINDS": str(engine),
            "WEBCB_RTP_HOSTS": "127.0.0.1",
            "WEBCB_RTP_PORT_MIN": str(ports[100]),
            "WEBCB_RTP_PORT_MAX": str(ports[-1]),
            "WEBCB_RTP_KERNEL": "off",
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBCB_")} | own

        def run(*words: str) -> str:
            return subprocess.run(
                [*COMMAND, *words], env=environment, capture_output=True, text=True, check=True, timeout=60
            ).stdout

        run("init")
        said = run("users", "add", "olivia")
        password = said.rpartition(": ")[2].strip()
        with (tmp_path / "log").open("w") as log:
            started = [
                subprocess.Popen(words, env=environment, stdout=log, stderr=log, start_new_session=True)
                for words in (
                    [*COMMAND, "serve"],
                    [sys.executable, "-c", CARRIER, "--host", carrier.host, "--port", str(carrier.port)],
                )
            ]
        try:
            db.connect(settings.load(own).database)
            ready = {
                "the pages": lambda: pages_answer(pages),
                "the carrier": lambda: sip_answers(carrier),
                "the engine": lambda: Node.select().where(Node.heard_at.is_null(False)).exists(),
            }
            for what, answers in ready.items():
                wait_until(answers, f"{what}: up", START_SECONDS)
            yield Site(tmp_path, pages, carrier, password)
        finally:
            for process in started:
                process.terminate()
                process.wait(20)
            db.database.close()
            print((tmp_path / "log").read_text())


@dataclass
class Hand:
    """Who reads the handbook: knows what is written on the page and nothing else."""

    browser: Chrome
    url: str

    def menu(self, group: str, entry: str) -> None:
        """Choose from the menu, as the handbook says: group, then entry."""
        place = f"//nav[@aria-label='Main']//h2[.='{group}']/following-sibling::ul[1]//a[.='{entry}']"
        self._follow(self.browser.find_element(By.XPATH, place))

    def click(self, words: str) -> None:
        """Press the button or follow the link on which this is written."""
        self._follow(self._one(f"//main//*[self::a or self::button][normalize-space()='{words}']"))

    def fill(self, **typed: str) -> None:
        """Type, choose or tick; the fields are named as their labels are, `_` for a space."""
        for label, text in typed.items():
            self.write(label.replace("_", " "), text)

    def write(self, label: str, text: str) -> None:
        named = self._one(f"//main//label[normalize-space()='{label}']")
        field = self.browser.find_element(By.ID, named.get_attribute("for") or "")
        self._into_view(field)
        if field.tag_name == "select":
            Select(field).select_by_visible_text(text)
        elif field.get_attribute("type") in ("checkbox", "radio"):
            if field.is_selected() != (text == "on"):
                field.click()
        else:
            field.clear()
            field.send_keys(text)

    def save(self) -> None:
        """Save, and see that it is saved."""
        self.click("Save")
        assert "saved." in self.text, self.text

    def given(self, label: str) -> str:
        """What stands in a field of which there is one value."""
        return self._one(f"//main//span[normalize-space()='{label}']/following-sibling::output").text

    @property
    def text(self) -> str:
        return str(self.browser.execute_script("return document.querySelector('main').innerText"))

    def see(self, words: str) -> None:
        """Wait until this is read on the page."""
        WebDriverWait(self.browser, WAIT_SECONDS).until(lambda _: words in self.text, f"{words!r} in {self.text}")

    def _one(self, place: str):  # type: ignore[no-untyped-def]
        found = [each for each in self.browser.find_elements(By.XPATH, place) if each.is_displayed()]
        assert len(found) == 1, (place, len(found), self.text)
        return found[0]

    def _into_view(self, element) -> None:  # type: ignore[no-untyped-def]
        self.browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", element)

    def _follow(self, pressed) -> None:  # type: ignore[no-untyped-def]
        """Press, and wait for the page that comes: it knows nothing of the mark that is left on this one."""
        self._into_view(pressed)
        self.browser.execute_script("window.isLeft = true")
        pressed.click()
        there = "return document.readyState === 'complete' && !window.isLeft"
        WebDriverWait(self.browser, WAIT_SECONDS).until(lambda it: it.execute_script(there))


@pytest.fixture
def olivia(browser: Chrome, site: Site) -> Hand:
    """The operator has signed in."""
    hand = Hand(browser, site.url)
    browser.get(f"{site.url}/admin/")
    hand.fill(Login="olivia", Password=site.password)
    hand.click("Sign in")
    return hand


def test_the_handbook_from_an_empty_database_to_two_callbacks(olivia: Hand, site: Site) -> None:
    hand = olivia
    # General configuration of callback services: destinations, the carrier.
    for prefix, country in (("55", "BR"), ("1206", "US"), ("|", "")):
        hand.menu("Service catalog", "Destinations")
        hand.click("Add destination")
        hand.fill(Prefix=prefix, Country=country)
        hand.save()

    # Add a new WEB callback trigger instance, configure its parameters.
    hand.menu("Infrastructure", "Voice applications")
    hand.click("Add voice application")
    hand.see("Create voice application")
    hand.fill(Name="Web callback")
    assert hand.given("Application type") == "Web callback trigger"
    hand.save()
    hand.fill(Simple="on", The_second_number_to_connect=HELPDESK.number, Default_country="BR")
    hand.fill(Access_code="WEBCALLBACK", Special_charge_if_LegB_fails="on", Account_ID_translation_rule="s/^/cb/")
    hand.save()

    # Create a tariff for end users, enter rates; another for unsuccessful calls, another for what the carrier charges.
    for name, applied_to, rates in (
        ("Callback", "Customer", (("55", "60", "6", "0.10"), ("1206", "60", "60", "0.05"))),
        ("Callback failed", "Customer", (("|", "1", "1", "0"),)),
        ("Loopback Telecom", "Vendor", (("|", "1", "1", "0.01"),)),
    ):
        hand.menu("Service catalog", "Tariffs")
        hand.click("Add tariff")
        hand.see("Create tariff")
        assert (hand.given("Service"), hand.given("Managed by")) == ("Voice calls", "Administrator only")
        hand.fill(Name=name, Currency="USD", Applied_to=applied_to)
        hand.save()
        hand.click("Rates")
        for destination, first, following, price in rates:
            hand.click("Add rate")
            hand.fill(Destination=destination, Rating_mode="Flat rate", First_price=price, Next_price=price)
            hand.write("First interval, seconds", first)
            hand.write("Next interval, seconds", following)
            assert "Off-peak first price" not in hand.text
            hand.save()

    # Create a product and its rating list.
    hand.menu("Service catalog", "Products")
    hand.click("Add product")
    hand.see("Create product")
    hand.fill(Name="Callback Services", Name_visible_to_end_users="Callback", Currency="USD")
    assert (hand.given("Product type"), hand.given("Account role")) == ("Main product", "Universal")
    hand.save()
    hand.click("Usage charges")
    for code, tariff in (("WEBCALLBACK", "Callback"), ("CALLBACK_FAIL", "Callback failed")):
        hand.click("Add usage charge")
        hand.fill(Access_code=code, Tariff=tariff)
        hand.save()

    # Create a customer, generate accounts.
    hand.menu("Sales", "Customers")
    hand.click("Add customer")
    hand.see("Create customer")
    hand.fill(Name="Easy Call", Balance_control="Postpaid", Currency="USD", Credit_limit="50")
    assert (hand.given("Business model"), hand.given("Customer class")) == ("Universal", "Default")
    hand.fill(Billing_period="Monthly", Billing_period_time_zone="America/Sao_Paulo")
    hand.save()
    hand.click("Accounts")
    hand.click("Account generator")
    hand.fill(
        Customer="Easy Call", Type="Debit", Product="Callback Services", Quantity="3", New_batch_name="First cards"
    )
    hand.fill(Opening_balance="5", ID_prefix="cb5511", ID_length="9")
    hand.click("Generate")
    hand.see("done")
    hand.menu("Sales", "Batches")
    hand.click("First cards")
    hand.browser.find_element(By.CSS_SELECTOR, "main input[name=sure]").click()
    hand.click("Activate")
    hand.see("3 accounts changed")
    (sheet,) = (site.folder / "state" / "cards").glob("*.csv")
    card = next(csv.DictReader(sheet.read_text().splitlines()))

    # Create an internal account, and name it in the voice application.
    hand.menu("Sales", "Accounts")
    hand.click("Add account")
    hand.fill(
        ID="internal", Customer="Easy Call", Product="Callback Services", Service_password="a-secure-9-one-to-guess"
    )
    hand.fill(Type="Credit", Balance_control="Subordinate")
    hand.save()
    hand.menu("Infrastructure", "Voice applications")
    hand.click("Web callback")
    hand.fill(Internal_account="internal", Hosted="on")
    hand.save()

    # The way to the phones.
    hand.menu("Infrastructure", "Vendors")
    hand.click("Add vendor")
    hand.fill(Name="Loopback Telecom", Currency="USD")
    hand.save()
    hand.menu("Infrastructure", "Connections")
    hand.click("Add connection")
    hand.fill(Name="loopback", Vendor="Loopback Telecom", Tariff="Loopback Telecom", SIP_address=site.carrier.host)
    hand.fill(Port=str(site.carrier.port), User_name=CREDENTIALS.username, Password=CREDENTIALS.password)
    hand.write("Probe every, seconds", "5")
    hand.save()

    # Enter the web page and make a test callback: Extended, then Simple.
    browser = hand.browser
    for kind, button in (("extended", "Connect Us Now!"), ("simple", "Call Me Now!")):
        browser.get(f"{site.url}/?kind={kind}")
        browser.find_element(By.NAME, "login").send_keys(card["PIN"])
        if kind == "extended":
            browser.find_element(By.NAME, "password").send_keys(card["Service password"])
            browser.find_element(By.NAME, "number_b").send_keys(f"+{SPEAKS.number}")
        browser.find_element(By.NAME, "number_a").send_keys(f"+{CALLER.number}")
        hand.see("You can talk for up to")
        hand.click(button)
        hand.see("0:02 of")
        browser.find_element(By.CSS_SELECTOR, "#release button").click()
        hand.see("You ended the call from this page.")

    # Two xDRs of each, charged as the tariff says: A 60/6 at 0.10, B 60/60 at 0.05.
    callbacks = list(Callback.select().order_by(Callback.requested_at))
    assert [(each.kind, each.ending) for each in callbacks] == [
        ("extended", "user released"),
        ("simple", "user released"),
    ]
    bills = list(Xdr.select().order_by(Xdr.id))
    assert [(bill.leg, bill.cld) for bill in bills] == [
        ("A", CALLER.number),
        ("B", SPEAKS.number),
        ("A", CALLER.number),
        ("B", HELPDESK.number),
    ]
    for bill in bills:
        assert 2 <= bill.used_quantity < 60
        assert (bill.charged_quantity, bill.charged_micros) == (60, 100_000 if bill.leg == "A" else 50_000)
        assert (
            bill.vendor_cost_micros == -(-bill.used_quantity * 10_000 // 600) * 10
        )  # a second is 0.01/60, rounded up at five decimals
        assert bill.account.login == card["PIN"]
    browser.get(f"{site.url}/admin/")
    hand.menu("Monitoring", "xDRs")
    assert len(re.findall(r"0\.10\b", hand.text)) == len(re.findall(r"0\.05\b", hand.text)) == 2, hand.text
    hand.menu("Setup", "Set-up checklist")
    assert "to do: " not in hand.text, hand.text
