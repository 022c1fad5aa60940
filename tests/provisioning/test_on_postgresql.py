"""The same file on PostgreSQL: applied, left, changed, refused, removed, exported."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.provisioning.conftest import AT, BASE, EXAMPLE, counts
from webcb import db
from webcb.billing import books, credentials
from webcb.provisioning.apply import ApplyRefused, apply
from webcb.provisioning.document import read
from webcb.provisioning.export import export
from webcb.provisioning.report import Report


@pytest.fixture
def on_postgresql(postgresql_url: str) -> Iterator[None]:
    opened = db.connect(postgresql_url)
    opened.execute_sql("DROP SCHEMA public CASCADE")
    opened.execute_sql("CREATE SCHEMA public")
    db.migrate()
    credentials.use_key("the key of the tests")
    yield
    differences = books.differences()
    opened.close()
    assert differences == []


def applied(text: str, days: int, *, dry_run: bool = False) -> Report:
    return apply(read(text.encode()), AT + timedelta(days=days), "cli:test", file="test.yaml", dry_run=dry_run)


def test_a_configuration_lives_on_postgresql_as_well(on_postgresql: None) -> None:
    empty = counts()
    dry = applied(EXAMPLE, 0, dry_run=True)
    assert counts() == empty
    assert applied(EXAMPLE, 1).said() == dry.said()
    assert applied(export(AT + timedelta(days=2)), 2).lines == []
    second = BASE.replace('path: "-"', "path: base")
    applied(second, 3)
    before = counts()
    with pytest.raises(ApplyRefused) as refused:
        applied("destinations: [{prefix: 1, country: CA}]\ntariffs: [{name: Retail, absent: true}]", 4)
    assert "used by" in refused.value.problems[0].text
    assert counts() == before
    changed = second.replace("next_price: 0.10", "next_price: 0.12").replace(
        "product: Calls, type", "product: Calls, blocked: true, type"
    )
    assert [line.said() for line in applied(changed, 5).lines] == [
        "~ rate 1 of Retail: next_price: 0.10 -> 0.12",
        "~ account sub1: blocked: false -> true",
    ]
    assert applied("accounts: [{login: sub1, absent: true}]", 6).total("removed") == 1
