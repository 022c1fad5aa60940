"""The company: written once, named on statements, and there is one."""

from tests.web import scene
from tests.web.admin.conftest import Operator, text_of
from tests.web.hand import hidden
from webcb.models import Account, Company

STATEMENT = "/admin/accounts/1/statement"


def test_the_company_stands_on_statements_and_is_one(admin: Operator, billing: Operator) -> None:
    typed = {"csrf_token": hidden(admin.get("/admin/company/new"), "csrf_token"), "address": "1 Main Street"}
    assert "From " not in text_of(billing.get(STATEMENT))
    facts = {"name": "Easy Call Ltd", "tax_number": "91-1", "mail": "a@example.com"}
    assert admin.client.post("/admin/company/new", data=typed | facts).status_code == 303
    assert "From Easy Call Ltd · 1 Main Street · 91-1 · a@example.com" in text_of(billing.get(STATEMENT))
    assert "there can be one" in admin.client.post("/admin/company/new", data=typed | {"name": "Other Ltd"}).text
    row = Company.get()
    admin.client.post(f"/admin/company/{row.id}", data=typed | {"name": "Easier Call Ltd"})
    assert [each.name for each in Company.select()] == ["Easier Call Ltd"]
    assert "From Easier Call Ltd · 1 Main Street" in text_of(billing.get(STATEMENT))
    admin.post(f"/admin/company/{row.id}", step="remove")
    assert not Company.select().exists()


def test_of_a_statement_that_was_archived_the_file_is_named(billing: Operator) -> None:
    scene.archive(Account.get_by_id(1).wallet_id)
    answer = billing.client.get(STATEMENT)
    assert answer.status_code == 410
    assert f"is in the archive {scene.ARCHIVE_FILE}." in answer.text
