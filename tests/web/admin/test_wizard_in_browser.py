"""The first set-up in real Chromium: from an empty database by four pages to a test callback, and to a Hosted one by PIN."""

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.web.admin.test_handbook import PIN, PIN_PHONE, WAIT_SECONDS, Hand, Site, olivia, site  # noqa: F401 - fixtures
from tests.web.conftest import browser, opened_browser  # noqa: F401 - fixtures
from webcb.demo.carrier import CREDENTIALS
from webcb.demo.phones import CALLER, SPEAKS
from webcb.models import Callback, Xdr


def test_four_pages_to_a_test_callback_and_a_hosted_one(olivia: Hand, site: Site) -> None:  # noqa: F811
    hand, chrome = olivia, olivia.browser
    hand.click("Set up the service")
    hand.fill(Name_of_the_carrier="Loopback", SIP_address=site.carrier.host, Port=str(site.carrier.port))
    hand.fill(User_name=CREDENTIALS.username, Password=CREDENTIALS.password, What_it_charges_a_minute="0.01")
    hand.click("Save and go on")
    hand.fill(Your_users_are_in="BR (+55)", They_mostly_call="US (+1)")
    hand.write("Price a minute to call them (leg A)", "0.10")
    hand.write("Price a minute there (leg B)", "0.20")
    hand.click("Save and go on")
    hand.fill(Customer="Easy Call", Its_time_zone="America/Sao_Paulo", ID_of_a_first_account=PIN)
    hand.click("Save and go on")
    hand.fill(Extended="on", Hosted="on")
    hand.click("Save, then test")

    # The checklist lacks nothing, once the carrier has answered; the test callback is seen live, and ended from its page.
    def nothing_is_missing(_: object) -> bool:
        chrome.refresh()
        return "to do: " not in hand.text

    WebDriverWait(chrome, WAIT_SECONDS, 1).until(nothing_is_missing, hand.text)
    hand.write("Number to be called at (A)", f"+{CALLER.number}")
    hand.write("Number to dial (B)", f"+{SPEAKS.number}")
    hand.click("Make a test callback")
    hand.see("talking")
    chrome.find_element(By.CSS_SELECTOR, "main .head [data-sure]").click()
    chrome.switch_to.alert.accept()
    hand.see("operator released")

    # Hosted: the page asks for a number alone; the voice asks for the PIN and whom to call.
    chrome.get(f"{site.url}/?kind=hosted")
    chrome.find_element(By.NAME, "number_a").send_keys(f"+{PIN_PHONE.number}")
    hand.click("Call Me Now!")
    hand.see("0:01 of")
    chrome.find_element(By.CSS_SELECTOR, "#release button").click()
    hand.see("You ended the call from this page.")

    callbacks = list(Callback.select().order_by(Callback.requested_at))
    assert [(each.kind, each.ending, each.logged_in) for each in callbacks] == [
        ("extended", "operator released", False),
        ("hosted", "user released", True),
    ]
    bills = list(Xdr.select().order_by(Xdr.id))
    assert [(bill.leg, bill.cld, bill.account.login, bill.charged_quantity) for bill in bills] == [
        ("A", CALLER.number, PIN, 60),
        ("B", SPEAKS.number, PIN, 60),
        ("A", PIN_PHONE.number, PIN, 60),  # from its answer on it is the account's whose PIN was typed
        ("B", SPEAKS.number, PIN, 60),
    ]
    assert [bill.charged_micros for bill in bills] == [100_000, 200_000] * 2
    assert all(bill.vendor_cost_micros == -(-bill.used_quantity * 10_000 // 600) * 10 for bill in bills)
