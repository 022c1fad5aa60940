"""What a file may not say to a database, and what it may not take away: the whole file is refused, nothing is written."""

from pathlib import Path

import pytest

from tests.provisioning.conftest import BASE, EXAMPLE, Applies, counts
from webcb import models, settings
from webcb.provisioning.apply import ApplyRefused
from webcb.provisioning.rules import RESERVED_PATHS
from webcb.web import create_app

FOLDER = Path(__file__).parent


def problems(refused: pytest.ExceptionInfo[ApplyRefused]) -> list[str]:
    return [problem.said("f").removeprefix("f, ") for problem in refused.value.problems]


def cases() -> list[tuple[str, ...]]:
    """The blocks of refused.txt: what stands in base.yaml, what is written instead, what is said."""
    found = []
    for block in (FOLDER / "refused.txt").read_text().strip().split("\n\n"):
        lines = [line.partition(" ")[::2] for line in block.split("\n")]
        found.append(tuple("\n".join(text for mark, text in lines if mark == each) for each in ("-", "+", "=>")))
    return found


@pytest.mark.parametrize(("old", "new", "expected"), cases(), ids=lambda each: each[:40])
def test_refusals(applied: Applies, old: str, new: str, expected: str) -> None:
    assert old in BASE
    applied(BASE)
    before = counts()
    with pytest.raises(ApplyRefused) as refused:
        applied(BASE.replace(old, new))
    assert problems(refused) == [expected]
    assert counts() == before


def test_an_off_peak_rate_names_all_that_is_missing(applied: Applies) -> None:
    with pytest.raises(ApplyRefused) as refused:
        applied(
            BASE.replace("name: Retail\n", "name: Retail\n  off_peak_period: Nights\n").replace(
                "next_interval_seconds: 6}]", "next_interval_seconds: 6, mode: off-peak}]"
            )
        )
    assert [said.split(":")[0] for said in problems(refused)] == [
        f"line 7, tariffs.rates.off_peak_{field}"
        for field in ("first_interval_seconds", "first_price", "next_interval_seconds", "next_price")
    ]


def test_mistakes_of_the_text_and_unknown_names_are_said_together(applied: Applies) -> None:
    with pytest.raises(ApplyRefused) as refused:
        applied("nodes: [{nam: x}]\nproducts:\n- {name: P, currency: USD, usage_charges: [{tariff: T, node: N}]}\n")
    assert problems(refused) == [
        "line 1, nodes.nam: no such field (node); did you mean name?",
        "line 1, nodes.name: missing; write 1 to 64 characters on one line",
        "line 3, products.usage_charges.node: there is no node 'N'",
        "line 3, products.usage_charges.tariff: there is no tariff 'T'",
    ]


def test_who_refers_to_a_mistaken_entry_is_not_blamed(applied: Applies) -> None:
    with pytest.raises(ApplyRefused) as refused:
        applied(BASE.replace("{name: Acme, currency: USD", "{name: Acme, currency: dollars"))
    assert [said.split(":")[0] for said in problems(refused)] == ["line 19, customers.currency"]


# Removal -----------------------------------------------------------------------------------------------------------------


def test_what_is_called_absent_is_removed_with_its_parts(applied: Applies) -> None:
    applied(BASE)
    report = applied(
        "voice_applications: [{name: Front, absent: true}]\n"
        "connections: [{name: trunk, absent: true}]\n"
        "tariffs: [{name: Wholesale, absent: true}, {name: Nobody, absent: true}]\n"
        "accounts: [{login: sub1, absent: true}]\n"
        "customers: [{name: Acme, absent: true}]\n"
    )
    assert [line.said() for line in report.lines] == [
        "- voice application Front",
        "- connection trunk",
        "- account sub1",
        "- customer Acme",
        "- tariff Wholesale",
    ]
    assert models.Rate.select().count() == 1
    assert models.Wallet.select().count() == 2
    assert applied("customers: [{name: Acme, absent: true}]").lines == []


IN_USE = [
    (
        "destinations: [{prefix: 1, absent: true}]",
        "destinations.absent: destination '1' is used by 2 rates; remove those first, or leave it",
    ),
    (
        "tariffs: [{name: Retail, absent: true}]",
        "tariffs.absent: tariff 'Retail' is used by 1 usage charge; remove those first, or leave it",
    ),
    (
        "vendors: [{name: Carrier, absent: true}]",
        "vendors.absent: vendor 'Carrier' is used by 1 connection; remove those first, or leave it",
    ),
    (
        "products: [{name: Calls, absent: true}]",
        "products.absent: product 'Calls' is used by 2 accounts; remove those first, or leave it",
    ),
    (
        "customers: [{name: Cards, absent: true}]",
        "customers.absent: customer 'Cards' is used by 1 account; write status: closed",
    ),
    (
        "accounts: [{login: own1, absent: true}]",
        "accounts.absent: account 'own1' is used by 1 ledger row; write closed: true",
    ),
]


@pytest.mark.parametrize(("text", "expected"), IN_USE)
def test_what_is_in_use_is_not_removed(applied: Applies, text: str, expected: str) -> None:
    applied(BASE)
    before = counts()
    with pytest.raises(ApplyRefused) as refused:
        applied(text)
    assert problems(refused) == [f"line 1, {expected}"]
    assert counts() == before


def test_parts_are_removed_one_by_one(applied: Applies) -> None:
    applied(EXAMPLE)
    vendor = "{name: Carrier One, currency: USD, applied_to: vendor, %s}"
    report = applied(
        f"tariffs: [{vendor % 'rates: [{prefix: 1, absent: true}], routes: [{prefix: 55, absent: true}]'}]\n"
        "products: [{name: Callback, currency: USD, visible_name: Call me now, profit_guarantee: true,"
        " description: Both legs at list prices,"
        " usage_charges: [{access_code: WEBCALLBACK, node: edge-1, absent: true}]}]\n"
    )
    assert [line.said() for line in report.lines] == [
        "- usage charge WEBCALLBACK of Callback",
        "- rate 1 of Carrier One",
        "- route 55 of Carrier One",
    ]
    assert models.UsageCharge.select().count() == 2


def test_a_coming_rate_is_removed_and_the_one_in_force_stays(applied: Applies) -> None:
    applied(EXAMPLE)
    head = EXAMPLE[EXAMPLE.index("  - name: Retail") : EXAMPLE.index("    rates:")]
    line = "{prefix: 55119, effective_from: 2035-01-01T03:00:00Z, absent: true}"
    report = applied(f"tariffs:\n{head}    rates: [{line}]\n")
    assert [each.said() for each in report.lines] == ["- rate 55119 of Retail"]
    mobile = models.Destination.get(models.Destination.prefix == "55119")
    assert models.Rate.select().where(models.Rate.destination == mobile).count() == 1


def test_no_application_hides_behind_a_page_of_the_service(tmp_path: Path) -> None:
    """Every first part of an address that the web serves itself is refused as the path of an application."""
    app = create_app(settings.load({"WEBCB_DATA_DIR": str(tmp_path)}))
    first_parts = {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()}
    assert {part for part in first_parts if part and not part.startswith("<")} <= RESERVED_PATHS
