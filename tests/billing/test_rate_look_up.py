"""Looking a rate up: one statement, of which nothing kept from before is believed unseen."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from webcb import db
from webcb.billing import catalog, query
from webcb.billing.tariff import rate_in_force

pytestmark = pytest.mark.usefixtures("either_database")
DIGITS = "5511987654321"


def prefix_found(tariff_id: int) -> str | None:
    found = rate_in_force(catalog.rates((tariff_id,), (DIGITS,), NOON), tariff_id, DIGITS, NOON)
    return None if found is None else found.prefix


def said(work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that this takes."""
    noted: list[str] = []
    plain = query._execute

    def noting(sql: str, parameters: Any) -> Any:
        noted.append(sql)
        return plain(sql, parameters)

    with monkeypatch.context() as patched:
        patched.setattr(query, "_execute", noting)
        work()
    return noted


def test_a_look_up_is_one_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    tariff_id = rows.house().tariff.id
    assert prefix_found(tariff_id) == "55"
    assert len(said(lambda: prefix_found(tariff_id), monkeypatch)) == 1


def test_a_prefix_of_a_length_that_none_had_is_found_at_once() -> None:
    house = rows.house()
    assert prefix_found(house.tariff.id) == "55"
    with db.writing():
        rows.rate(house.tariff, "5511987")
    assert prefix_found(house.tariff.id) == "5511987"


def test_where_no_rate_is_there_is_none_until_there_is() -> None:
    house = rows.house()
    other = rows.tariff("another")
    assert prefix_found(house.tariff.id) == "55"
    assert prefix_found(other.id) is None
    with db.writing():
        rows.rate(other, "551198")
    assert prefix_found(other.id) == "551198"
