"""Applying a file: what is written, what is said, what is refused, what stays."""

from datetime import timedelta

import pytest

from tests.provisioning.conftest import AT, BASE, EXAMPLE, Applies, counts
from webcb import models
from webcb.billing import credentials
from webcb.provisioning import funds
from webcb.provisioning.apply import ApplyRefused


@pytest.mark.parametrize("text", [BASE, EXAMPLE], ids=["base", "example.yaml"])
def test_applied_again_nothing_changes(applied: Applies, text: str) -> None:
    first = applied(text)
    before = counts()
    again = applied(text, AT + timedelta(days=1))
    assert first.total("created") > 0
    assert first.total("created") == len(first.lines)
    assert again.lines == []
    assert again.total("left") == first.total("created")
    assert counts() == before


def test_a_dry_run_says_all_and_writes_nothing(applied: Applies) -> None:
    before = counts()
    report = applied(BASE, dry_run=True)
    assert counts() == before
    assert report.said() == applied(BASE).said()


def test_what_was_done_is_said_and_kept_in_the_audit(applied: Applies) -> None:
    applied(BASE)
    report = applied(
        BASE.replace("credit_limit: 100", "credit_limit: 150.5, status: blocked")
        .replace("next_price: 0.10", "next_price: 0.12")
        .replace('path: "-"}', 'path: "-"}, {name: Second, path: second}'),
        AT + timedelta(days=1),
    )
    assert [line.said() for line in report.lines] == [
        "~ rate 1 of Retail: next_price: 0.10 -> 0.12",
        "~ customer Acme: status: active -> blocked, credit_limit: 100.00 -> 150.50",
        "+ voice application Second",
    ]
    assert "customer: 1 changed, 1 left" in report.said()
    audit = models.Audit.select().order_by(models.Audit.id.desc()).get()
    assert (audit.made_by, audit.action, audit.subject) == ("cli:test", "apply", "test.yaml")
    assert audit.detail.splitlines() == [line.said() for line in report.lines]
    assert "hush" not in audit.detail


def test_a_field_that_is_taken_out_has_its_default_again(applied: Applies) -> None:
    applied(BASE.replace("opening_balance: 5.00", "blocked: true, days_after_last_use: 30"))
    report = applied(BASE)
    assert [line.said() for line in report.lines] == [
        "~ account own1: blocked: true -> false, days_after_last_use: 30 -> null"
    ]


def test_what_the_file_does_not_name_stays(applied: Applies) -> None:
    applied(BASE)
    before = counts()
    assert applied("nodes: [{name: other}]").total("created") == 1
    assert counts() == before | {"Node": before["Node"] + 1, "Audit": before["Audit"] + 1}


def test_a_new_price_is_a_new_rate_and_the_old_one_stays_as_it_was(applied: Applies) -> None:
    applied(BASE)
    old = models.Rate.select().order_by(models.Rate.id).dicts().get()
    later = AT + timedelta(days=1)
    applied(BASE.replace("first_price: 0.10", "first_price: 0.11"), later)
    rows = list(models.Rate.select().where(models.Rate.tariff == old["tariff"]).order_by(models.Rate.id).dicts())
    assert rows[0] == old
    assert (rows[1]["first_price_micros"], rows[1]["effective_at"]) == (110_000, later)


# Funds -------------------------------------------------------------------------------------------------------------------


def test_an_opening_balance_is_posted_once(applied: Applies) -> None:
    applied(BASE)
    applied(BASE.replace("opening_balance: 5.00", "opening_balance: 50.00"))
    (posted,) = models.Ledger.select()
    assert (posted.kind, posted.amount_micros, posted.account.login, posted.made_by) == (
        "opening balance",
        5_000_000,
        "own1",
        "cli:test",
    )
    assert posted.account.wallet.balance_micros == 5_000_000


def test_a_subordinate_account_uses_its_customers_wallet(applied: Applies) -> None:
    applied(BASE)
    account = models.Account.get(models.Account.login == "sub1")
    assert account.wallet == account.customer.wallet
    assert account.wallet.credit_limit_micros == 100_000_000


# Passwords ---------------------------------------------------------------------------------------------------------------


def has_password(login: str, password: str) -> bool:
    return credentials.verify_password(models.Account.get(models.Account.login == login).service_password, password)


def test_a_service_password_is_set_at_creation_and_later_only_when_asked(applied: Applies) -> None:
    applied(BASE)
    assert has_password("own1", "hush")
    report = applied(BASE.replace("hush", "changed"))
    assert has_password("own1", "hush")
    assert report.lines == []
    assert report.notes == ["1 passwords are set already and were not compared; --set-passwords sets them"]
    report = applied(BASE.replace("hush", "changed"), set_passwords=True)
    assert has_password("own1", "changed")
    assert [line.said() for line in report.lines] == ["~ account own1: service_password: *** -> set"]


def test_an_account_without_a_password_is_given_one(applied: Applies) -> None:
    applied(BASE)
    text = "accounts: [{login: sub1, customer: Acme, product: Calls, type: credit, balance_control: subordinate%s}]"
    applied(text % ", service_password: late")
    assert has_password("sub1", "late")
    applied(text % "")
    assert has_password("sub1", "late")


def test_nothing_is_hashed_where_nothing_is_new(applied: Applies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing is slow on purpose: a thousand accounts must not take seconds when nothing has changed, nor in a dry run."""
    hashed: list[str] = []
    monkeypatch.setattr(funds.credentials, "hash_password", lambda password: hashed.append(password) or "x")
    applied(BASE, dry_run=True)
    assert hashed == []
    applied(BASE)
    assert hashed == ["hush"]
    applied(BASE)
    assert hashed == ["hush"]


def test_a_trunk_password_is_sealed_compared_and_kept_where_it_is_not_written(applied: Applies) -> None:
    def password() -> str:
        return credentials.unseal(models.Connection.get().sealed_password)

    applied(BASE)
    assert "secret" not in models.Connection.get().sealed_password
    assert password() == "secret"
    assert applied(BASE.replace(", password: secret", "")).lines == []
    assert password() == "secret"
    report = applied(BASE.replace("password: secret", "password: other"))
    assert [line.said() for line in report.lines] == ["~ connection trunk: password: *** -> set"]
    assert password() == "other"
    credentials.use_key("another key, the old one is lost")
    assert applied(BASE.replace("password: secret", "password: other")).total("changed") == 1
    assert password() == "other"


def test_a_special_charge_nobody_has_is_noted(applied: Applies) -> None:
    report = applied(BASE.replace('path: "-"}', 'path: "-", special_charge_if_leg_b_fails: true}'))
    assert "CALLBACK_FAIL" in report.notes[0]


def test_self_care_passwords_of_accounts_and_customers(applied: Applies) -> None:
    """Set at creation, later only when asked; a login is one owner's alone."""
    text = """
customers: [{name: Own, currency: USD, web_login: boss, web_password: first}]
products: [{name: P, currency: USD}]
accounts: [{login: a1, customer: Own, product: P, web_login: a1.web, web_password: first}]
"""
    applied(text)

    def holds(password: str) -> list[bool]:
        rows = (models.Customer.get(models.Customer.name == "Own"), models.Account.get(models.Account.login == "a1"))
        return [credentials.verify_password(row.web_password, password) for row in rows]

    assert holds("first") == [True, True]
    assert applied(text.replace("first", "second")).lines == []
    assert holds("first") == [True, True]
    report = applied(text.replace("first", "second"), set_passwords=True)
    assert [line.said() for line in report.lines] == [
        "~ customer Own: web_password: *** -> set",
        "~ account a1: web_password: *** -> set",
    ]
    assert holds("second") == [True, True]
    with pytest.raises(ApplyRefused) as refused:
        applied(text.replace("a1.web", "boss"))
    assert "'boss' is the self-care login of customer 'Own'; choose another" in str(refused.value.problems[0])
