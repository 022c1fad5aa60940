"""Long files: compared while others work, written in a moment, and right whatever others change meanwhile."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from tests.provisioning.conftest import AT, Applies
from webcb import db, models
from webcb.billing import query
from webcb.provisioning import apply as door
from webcb.provisioning.apply import ENTRIES_AT_ONCE, ApplyRefused, apply
from webcb.provisioning.document import read
from webcb.provisioning.drafts import Drafts

LINES = 1000
WAIT_SECONDS_MAX = 1


def long_file(price: str = "0.10", more: str = "") -> str:
    """Destinations with rates, and accounts with all that may hang on them."""
    prefixes = range(100_000, 100_000 + LINES)
    rate = f"first_price: {price}, next_price: {price}, first_interval_seconds: 60, next_interval_seconds: 6"
    return "\n".join(
        [
            "destinations:",
            *(f"- {{prefix: {prefix}}}" for prefix in prefixes),
            "tariffs:",
            "- name: Long",
            "  currency: USD",
            "  rates:",
            *(f"  - {{prefix: {prefix}, {rate}}}" for prefix in prefixes),
            "products: [{name: P, currency: USD, usage_charges: [{access_code: WEBCALLBACK, tariff: Long}]}]",
            "customers: [{name: C, currency: USD, web_login: owner, opening_balance: 7}]",
            "accounts:",
            *(
                f"- {{login: a{number}, customer: C, product: P, opening_balance: 5, web_login: w{number},"
                f" trusted_numbers: {551190000 + number}}}"
                for number in range(LINES // 5)
            ),
            more,
        ]
    )


def elsewhere(work: Callable[[], object]) -> None:
    """Do something on a connection of its own, as another process would."""

    def run() -> None:
        with db.database.connection_context():
            work()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_it_is_longer_than_what_is_done_at_once() -> None:
    assert read(long_file().encode()).entries > ENTRIES_AT_ONCE


def test_who_writes_beside_it_waits_a_moment(applied: Applies) -> None:
    applied("nodes: [{name: other}]")
    document = read(long_file().encode())
    is_over, waits = threading.Event(), [0.0]

    def write_on_and_on() -> None:
        with db.database.connection_context():
            while not is_over.wait(0.005):
                began = time.monotonic()
                with db.writing():
                    query.change("UPDATE node SET term = term + 1 WHERE name = 'other'")
                waits.append(time.monotonic() - began)

    beside = threading.Thread(target=write_on_and_on)
    beside.start()
    began = time.monotonic()
    apply(document, AT, "cli:test", file="test.yaml")
    seconds = time.monotonic() - began
    is_over.set()
    beside.join()
    assert models.Rate.select().count() == LINES
    assert max(waits) < min(WAIT_SECONDS_MAX, seconds / 2), (max(waits), seconds)
    assert len(waits) > 10


def test_applied_again_nothing_changes_and_a_new_price_changes_what_it_should(applied: Applies) -> None:
    first = applied(long_file())
    assert first.total("created") == len(first.lines) == 2 * LINES + LINES // 5 + 4
    assert applied(long_file()).lines == []
    changed = applied(long_file("0.20", "nodes: [{name: new}]"), AT.replace(hour=13))
    assert (changed.total("changed"), changed.total("created")) == (LINES, 1)
    assert models.Wallet.select().where(models.Wallet.balance_micros == 5_000_000).count() == LINES // 5
    assert models.TrustedNumber.select().count() == LINES // 5


def test_what_others_change_meanwhile_is_compared_again(applied: Applies, monkeypatch: pytest.MonkeyPatch) -> None:
    applied(long_file())
    drafted, plain = [], door._draft

    def draft(books: object, asked: object) -> None:
        plain(books, asked)  # type: ignore[arg-type]
        drafted.append(1)
        if len(drafted) == 1:
            elsewhere(lambda: models.Rate.delete().where(models.Rate.id == 7).execute())
            elsewhere(lambda: models.Wallet.create(currency="USD"))  # takes the id that the next one was to have

    monkeypatch.setattr(door, "_draft", draft)
    again = applied(long_file(more="- {login: late, customer: C, product: P, opening_balance: 5}"), AT.replace(hour=13))
    assert len(drafted) == 2
    assert sorted(line.said() for line in again.lines) == ["+ account late", "+ rate 100006 of Long"]
    assert models.Account.get(login="late").wallet.balance_micros == 5_000_000


def test_where_others_change_it_all_the_time_it_is_done_at_once(
    applied: Applies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Drafts, "still_holds", lambda _: False)
    assert applied(long_file()).total("created") == models.Rate.select().count() * 2 + LINES // 5 + 4


@pytest.mark.sqlite_alone
def test_a_wrong_long_file_does_not_even_wait_for_the_lock(applied: Applies) -> None:
    with db.writing():
        refused: list[object] = []

        def wrong() -> None:
            with pytest.raises(ApplyRefused) as caught:
                applied(long_file(more="- {login: x, customer: Nobody, product: P}"))
            refused.extend(problem.said("f") for problem in caught.value.problems)

        elsewhere(wrong)
    assert len(refused) == 1
    assert "there is no customer 'Nobody'" in str(refused[0])
    assert models.Account.select().count() == 0


def test_wrong_removals_are_named_with_all_else(applied: Applies) -> None:
    applied(long_file())
    more = "- {login: x, customer: Nobody, product: P}\nnodes: [{name: gone, absent: true}]"
    with pytest.raises(ApplyRefused) as caught:
        applied(long_file(more=more).replace("- {prefix: 100000}", "- {prefix: 100000, absent: true}"))
    said = [problem.text for problem in caught.value.problems]
    assert any("is used by 1 rate" in text for text in said)
    assert any("there is no customer" in text for text in said)
    removed = applied(long_file(more="nodes: [{name: gone}]"))
    assert removed.total("created") == 1
    assert applied(long_file(more="nodes: [{name: gone, absent: true}]"), dry_run=True).total("removed") == 1
    assert applied(long_file(more="nodes: [{name: gone, absent: true}]")).total("removed") == 1
    assert models.Node.select().count() == 0


def test_what_is_removed_by_the_thousand_takes_few_statements(
    applied: Applies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody waits meanwhile: their number is of the kinds of things that could use it, not of what is removed."""
    applied(long_file().replace("opening_balance: 5, ", ""))
    gone = "\n".join(
        [
            "destinations:",
            *(f"- {{prefix: {100_000 + number}, absent: true}}" for number in range(LINES)),
            "tariffs:",
            "- name: Long",
            "  currency: USD",
            "  rates:",
            *(f"  - {{prefix: {100_000 + number}, absent: true}}" for number in range(LINES)),
            "accounts:",
            *(f"- {{login: a{number}, absent: true}}" for number in range(LINES // 5)),
        ]
    )
    said, plain = list[str](), type(db.database.obj).execute_sql

    def noting(self: object, sql: str, *given: object, **named: object) -> object:
        said.append(sql)
        return plain(self, sql, *given, **named)

    monkeypatch.setattr(type(db.database.obj), "execute_sql", noting)
    report = applied(gone, AT.replace(hour=13))
    assert report.total("removed") == 2 * LINES + LINES // 5
    assert (models.Destination.select().count(), models.Rate.select().count(), models.Account.select().count()) == (
        0,
        0,
        0,
    )
    assert models.Wallet.select().count() == 1, "the customer's alone is left"
    assert len(said) < LINES // 10, len(said)


def test_accounts_are_written_by_as_many_statements_however_many_they_are(
    applied: Applies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for the lock goes to the database a kind of row at a time."""
    sent, plain_each, plain = list[str](), query.change_each, query._execute
    carried_out = Drafts.carry_out

    def noting_each(sql: str, parameters: Sequence[Sequence[object]]) -> None:
        sent.append(sql)
        plain_each(sql, parameters)

    def noting(sql: str, parameters: Sequence[object]) -> object:
        sent.append(sql)
        return plain(sql, parameters)

    def carry_out(drafts: Drafts) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(query, "change_each", noting_each)
            patched.setattr(query, "_execute", noting)
            carried_out(drafts)

    monkeypatch.setattr(Drafts, "carry_out", carry_out)
    assert applied(long_file()).total("created")
    assert models.Account.select().count() == LINES // 5
    assert len(sent) <= 20, sent
