"""The generator, its job and file, batches; money by hand, refunds, statements."""

import csv
import io
import re

from tests.web import scene
from tests.web.admin.conftest import Operator, text_of
from tests.web.hand import Hand
from webcb import clock, jobs
from webcb.billing import batch, voucher
from webcb.models import Account, Audit, Batch, Customer, Job, Ledger, Wallet, Xdr

FIELDS = {"customer": "Easy Call", "role": "Universal", "type": "debit", "product": "Callback", "quantity": "20", "batch": "Spring",
          "opening_balance": "10", "requires_activation": "y", "method": "Random", "prefix": "cb1818", "length": "9",
          "service_passwords": "auto", "self_care": "auto-generated", "time_zone": "UTC", "language": "pt"}  # fmt: skip


def run_clerk(operator: Operator) -> None:
    settings = operator.client.application.extensions["webcb_settings"]
    work = jobs.claim("test", clock.utc_now())
    assert work is not None
    assert batch.run(work, settings.data_dir, clock.utc_now)


def test_accounts_are_generated_and_the_file_is_for_who_may_sell(billing: Operator, support: Operator) -> None:
    address = billing.post("/admin/account-generator", **FIELDS).headers["Location"]
    assert "0 of 20" in text_of(billing.get(address))
    assert "data-live" in billing.get(address)
    run_clerk(billing)
    part = billing.get(f"{address}?part=1")
    assert "20 of 20" in text_of(part)
    assert "<html" not in part
    answer = billing.client.get(f"{address}/file")
    cards = list(csv.DictReader(io.StringIO(answer.text)))
    answer.close()
    assert len(cards) == 20
    assert all(re.fullmatch(r"cb1818\d{5}", card["PIN"]) for card in cards)
    assert Account.get(login=cards[0]["PIN"]).wallet.balance_micros == 10_000_000
    assert Audit.select().order_by(Audit.id.desc()).first().action == "file of cards downloaded"
    support.get(f"{address}/file", 403)
    assert "Download" not in support.get(address)


def test_a_file_elsewhere_is_not_handed_out(admin: Operator) -> None:
    admin.post("/admin/account-generator", **FIELDS)
    run_clerk(admin)
    folder = admin.client.application.extensions["webcb_settings"].data_dir
    (folder / "secret.csv").write_text("secret")
    for file in ("../secret.csv", "secret.csv", "cards/../secret.csv", "/etc/passwd", ""):
        Job.update(file=file).execute()
        admin.get(f"/admin/jobs/{Job.get().id}/file", 404)
    (folder / "cards" / "link.csv").symlink_to(folder / "secret.csv")
    Job.update(file="cards/link.csv").execute()
    admin.get(f"/admin/jobs/{Job.get().id}/file", 404)


def test_what_cannot_be_generated_is_said_beside_its_field(admin: Operator) -> None:
    page = admin.post(
        "/admin/account-generator", 422, **FIELDS | {"quantity": "1000", "prefix": "55", "length": "4"}
    ).text
    assert "100" in re.search(r'id="quantity-error">([^<]+)', page)[1]  # type: ignore[index]
    page = admin.post(
        "/admin/account-generator", 422, **FIELDS | {"opening_balance": "ten", "product": "", "quantity": ""}
    ).text
    for field in ("opening_balance", "quantity"):
        assert re.search(rf'id="{field}-error">[^<]+<', page), field
    assert Job.select().count() == 0


def test_a_batch_is_activated_and_blocked_after_it_was_confirmed(admin: Operator) -> None:
    admin.post("/admin/account-generator", **FIELDS)
    address = f"/admin/batches/{Batch.get(name='Spring').id}"
    admin.post(address, action="activate", sure="y")
    assert "still being made" in admin.get("/admin/batches") or Account.select().where(Account.activated).count()
    run_clerk(admin)
    mine = Account.select().where(Account.batch.is_null(False))
    admin.post(address, 422, action="activate")
    assert mine.where(Account.activated).count() == 0
    admin.post(address, action="activate", sure="y")
    assert mine.where(Account.activated).count() == 20
    admin.post(address, action="block", sure="y")
    assert mine.where(Account.blocked).count() == 20
    admin.post(address, action="unblock", sure="y")
    assert mine.where(Account.blocked).count() == 0
    assert "Job" in admin.get(address)


def funds(operator: Operator, account: Account) -> tuple[str, dict[str, str]]:
    address = f"/admin/accounts/{account.id}/funds"
    mark = re.search(r'name="mark"[^>]*value="([^"]+)"', operator.get(address))
    assert mark is not None
    return address, {"step": "post", "mark": mark[1]}


def test_money_moves_once_a_form(billing: Operator) -> None:
    account = Account.get(login="alice")
    address, fields = funds(billing, account)
    for _ in range(2):
        billing.post(address, kind="payment", amount="2.50", note="cash", **fields)
    assert Wallet.get_by_id(account.wallet.id).balance_micros == 7_500_000
    row = Ledger.select().order_by(Ledger.id.desc()).first()
    assert (row.kind, row.made_by, row.note) == ("payment", "user:billing", "cash")
    address, fields = funds(billing, account)
    billing.post(address, kind="manual charge", amount="10", **fields)
    assert Wallet.get_by_id(account.wallet.id).balance_micros == -2_500_000
    for amount in ("", "0", "-1", "much", "1e3"):
        page = billing.post(address, 422, kind="payment", amount=amount, **fields).text
        assert re.search(r'id="amount-error">[^<]+<', page), amount


def test_a_customers_funds_and_a_voucher(admin: Operator, support: Operator, reader: Operator) -> None:
    customer = Customer.get(name="Easy Call")
    page = admin.get(f"/admin/customers/{customer.id}/funds")
    mark = re.search(r'name="mark"[^>]*value="([^"]+)"', page)[1]  # type: ignore[index]
    admin.post(f"/admin/customers/{customer.id}/funds", kind="payment", amount="5", mark=mark, step="post")
    assert Wallet.get_by_id(customer.wallet.id).balance_micros == 5_000_000
    (code,) = voucher.make("May", 1, 3_000_000, "USD", None, "test", clock.utc_now())
    address = f"/admin/accounts/{Account.get(login='alice').id}/funds"
    admin.post(address, step="voucher", code=code)
    assert "used before" in admin.post(address, 422, step="voucher", code=code).text
    support.get(address, 403)
    reader.get(address, 403)


def test_a_refund_and_the_statement(billing: Operator) -> None:
    callback_id = Hand(billing.client.application.test_client()).connect()
    engine = scene.Engine(callback_id)
    engine.talk(ago=61)
    engine.end("A hung up", 61, 61)
    address = f"/admin/callbacks/{callback_id}/refund/B"
    mark = re.search(r'name="mark"[^>]*value="([^"]+)"', billing.get(address))[1]  # type: ignore[index]
    billing.post(address, amount="0.05", note="bad line", mark=mark)
    billing.post(address, 422, amount="0.2", note="", mark="x")
    assert [row.charged_micros for row in Xdr.select().where(Xdr.kind == "refund")] == [-50_000]
    billing.get(f"/admin/callbacks/{callback_id}/refund/C", 404)
    account = Account.get(login="alice")
    said = text_of(billing.get(f"/admin/accounts/{account.id}/statement"))
    assert "Calls 55 BR Brazil 1 1:06 -0.055" in said
    assert "Calls 1 US USA 1 2:00 -0.15" in said
    assert "Closing balance 4.795" in said
