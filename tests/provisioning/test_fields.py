"""Every sort of value: what is written back is read as the same value, and defaults are those of the tables."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb import models
from webcb.provisioning import fields
from webcb.provisioning.books import TABLES
from webcb.provisioning.entries import SECTIONS, Entry, Rate, Route, UsageCharge

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SORTS = [
    (fields.amount("", most=10**9, least=-(10**9)), st.integers(-(10**15), 10**15)),
    (fields.percent(""), st.integers(0, 10_000_000)),
    (fields.whole(0, 86_400, ""), st.integers(0, 86_400)),
    (fields.yes_no(""), st.booleans()),
    (fields.instant(""), st.integers(-(10**15), 10**16).map(lambda us: EPOCH + timedelta(microseconds=us))),
    (fields.choice(("debit", "credit"), ""), st.sampled_from(("debit", "credit"))),
    (fields.several(("PCMU", "PCMA"), ""), st.sampled_from(("PCMU", "PCMA", "PCMU,PCMA", "PCMA,PCMU"))),
]


@given(st.data())
@pytest.mark.parametrize("sort", SORTS, ids=lambda sort: sort[0].right)
def test_what_is_written_back_is_read_the_same(sort: tuple, data: st.DataObject) -> None:
    reader, values = sort
    value = data.draw(values)
    assert reader(reader.text(value)) == value


CHILDREN = {Rate: models.Rate, Route: models.Route, UsageCharge: models.UsageCharge}
KINDS = [*((SECTIONS[section], table) for section, table in TABLES.items()), *CHILDREN.items()]


@pytest.mark.parametrize(("kind", "table"), KINDS, ids=lambda each: each.__name__)
def test_a_default_of_the_file_is_the_default_of_the_table(kind: type[Entry], table: type[models.Table]) -> None:
    for field, about in kind.model_fields.items():
        column = table._meta.fields.get(kind.column(field))
        if column is None or about.is_required() or kind.reader(field).is_secret or column is models.Rate.effective_at:
            continue
        assert about.default == column.default, field


@pytest.mark.parametrize(("kind", "table"), KINDS, ids=lambda each: each.__name__)
def test_every_column_an_operator_configures_has_its_field(kind: type[Entry], table: type[models.Table]) -> None:
    """A column added to a table must be thought of here: it is configured by the file, or it is listed as not to be."""
    not_configured = {
        models.Node: {"started_at", "heard_at", "draining", "holder", "term"},
        models.Customer: {"wallet", "created_at"},
        models.Account: {
            "wallet",
            "batch",
            "control_number",
            "job",
            "web_login",
            "web_password",
            "first_used_at",
            "last_used_at",
        },
        models.Tariff: {"service", "managed_by"},
        models.Rate: {"tariff", "rate_import"},
        models.Route: {"tariff"},
        models.UsageCharge: {"product"},
        models.Connection: {
            *("state", "state_at", "state_reason"),
            *("registration", "registration_at", "registration_reason"),
        },
    }
    columns = set(table._meta.fields) - {"id"} - not_configured.get(table, set())
    assert columns <= {kind.column(field) for field in kind.model_fields}
