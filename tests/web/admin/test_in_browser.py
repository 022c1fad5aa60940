"""The admin site in real Chromium: no page has a serious barrier, a complaint of the browser or a sideways scroll; live pages live."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.web.admin.pictures import AFTER, PAGES, furnish, sign_in, visit
from tests.web.conftest import Server, dress
from webcb import clock, db
from webcb.billing import settlement
from webcb.models import Account

AXE = files("axe_core_python").joinpath("axe.min.js").read_text()
# What depends on the width and the colours; all else is the same on every screen.
LOOKS = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "aria-hidden-focus")
# Head and menu, in which most of the links are, are the same on all pages: they are judged on the first one of each test.
RUN_AXE = """
    const [only, whole, done] = arguments;
    const where = whole ? document : {include: [['html']], exclude: [['header.admin-top'], ['nav[aria-label=Main]']]};
    axe.run(where, {resultTypes: ['violations'], preload: false, ...(only && {runOnly: {type: 'rule', values: only}})})
      .then(found => found.violations
        .filter(each => ['serious', 'critical'].includes(each.impact))
        .map(each => `${each.id}: ${each.nodes[0].html}`))
      .catch(wrong => [String(wrong)]).then(done);
"""
# A list of all time zones is six hundred nodes, of which each says what the first ones say.
FEWER_OPTIONS = """
    for (const list of document.querySelectorAll("select, datalist"))
        for (const each of [...list.querySelectorAll("option:not(:checked)")].slice(8)) each.remove();
"""
WAIT_SECONDS = 10


@pytest.fixture(scope="module")
def calls(server: Server) -> dict[str, str]:
    """A site with rows for every page, a callback that has ended, one that goes on; Ann is an administrator."""
    return furnish()


@pytest.fixture
def ann(browser: webdriver.Chrome, server: Server, calls: dict[str, str]) -> webdriver.Chrome:
    sign_in(browser, server)
    WebDriverWait(browser, WAIT_SECONDS).until(lambda it: it.title.startswith("Dashboard"))
    return browser


PAGES_AT_ONCE = 24
# Of the forms that were refused those that differ in more than their fields.
DONE = ("voice-application-in-error", "off-peak-period-in-error", "account-generator-in-error", "api-key-in-error", "wizard-in-error",
        "rate-sheet-of-changes", "rate-sheet-in-error", "disconnect", "column-choice", "roles", "password-in-error", "formula-written",
        "period-written")  # fmt: skip
VISITS = {name: (page, "") for name, page in PAGES.items() if name != "error"} | {name: AFTER[name] for name in DONE}
NAMES = list(VISITS)
# What the browser itself says of a form that was refused.
REFUSED = "the server responded with a status of 422"


@pytest.fixture
def judge(ann: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """Ann's browser, which has axe on every page that it opens: it is not sent anew with each."""
    script = ann.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": AXE})
    yield ann
    ann.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


@pytest.mark.parametrize(
    "names",
    [NAMES[first : first + PAGES_AT_ONCE] for first in range(0, len(NAMES), PAGES_AT_ONCE)],
    ids=lambda names: names[0],
)
def test_no_page_has_a_serious_barrier(
    judge: webdriver.Chrome, server: Server, calls: dict[str, str], names: list[str]
) -> None:
    """On a wide screen in the light; on a tablet and a phone in the dark."""
    for name in names:
        page, done = VISITS[name]
        dress(judge, width=1440, still=True)
        visit(judge, f"{server.url}/admin/{page.format(**calls)}", done)
        judge.execute_script(FEWER_OPTIONS)
        for width, dark, rules in ((1440, False, None), (768, True, LOOKS[2:]), (390, True, LOOKS)):
            dress(judge, width=width, dark=dark, still=True)
            assert judge.execute_async_script(RUN_AXE, rules, name == names[0]) == [], (name, width)
            wide, view = judge.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
            assert wide <= view, (name, wide)
    complaints = [entry["message"] for entry in judge.get_log("browser")]
    assert [each for each in complaints if REFUSED not in each] == []


def test_active_calls_go_on_without_a_reload(ann: webdriver.Chrome, server: Server, calls: dict[str, str]) -> None:
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
    settlement.settle(calls["running"], legs, "A hung up", True, at)
    WebDriverWait(ann, WAIT_SECONDS).until(lambda it: "Nobody is talking" in it.page_source)


def see(browser: webdriver.Chrome, words: str) -> None:
    """Wait for the words on the page, whichever it is by then."""
    text = "return document.querySelector('main')?.innerText ?? ''"
    WebDriverWait(browser, WAIT_SECONDS).until(lambda it: words in it.execute_script(text))


def test_a_rate_sheet_is_uploaded_by_hand(ann: webdriver.Chrome, server: Server, tmp_path: Path) -> None:
    sheet = tmp_path / "new.csv"
    sheet.write_text("Destination,First interval,Next interval,First price,Next price\n55,60,6,0.06,0.06\n")
    ann.get(f"{server.url}/admin/tariffs/1/sheet")
    ann.find_element(By.ID, "file").send_keys(str(sheet))
    ann.find_element(By.CSS_SELECTOR, "button[value=preview]").click()
    see(ann, "1 dearer")
    ann.find_element(By.CSS_SELECTOR, "button[value=apply]").click()
    see(ann, "new.csv: 1 dearer.")


def test_off_peak_fields_appear_with_the_mode(ann: webdriver.Chrome, server: Server) -> None:
    ann.get(f"{server.url}/admin/tariffs/1/rates/new?mode=flat")
    field = ann.find_element(By.ID, "off_peak_first_price")
    assert not field.is_displayed()
    Select(ann.find_element(By.ID, "mode")).select_by_visible_text("Separate peak / off-peak rate")
    assert field.is_displayed()


def test_one_form_by_keyboard_alone(ann: webdriver.Chrome) -> None:
    """No mouse: a destination is entered by Tab, letters, Space and Enter alone."""

    def press(*keys: str) -> None:
        for key in keys:
            ann.switch_to.active_element.send_keys(key)

    def tab_to(words: str) -> None:
        for _ in range(120):
            press(Keys.TAB)
            name = ann.execute_script(
                "const e = document.activeElement; return (e.labels && e.labels[0] ? e.labels[0] : e).textContent.trim()"
            )
            if name == words:
                return
        raise AssertionError(f"{words} is not reached by Tab")

    tab_to("Destinations")
    press(Keys.ENTER)
    tab_to("Add destination")
    press(Keys.ENTER)
    tab_to("Prefix")
    press("4", "9")
    tab_to("Country")
    press("D", "E")
    tab_to("Description")
    press(*"Germany")
    press(Keys.ENTER)
    see(ann, "Destination saved.")
    tab_to("Close")
    press(Keys.ENTER)
    see(ann, "Germany")
