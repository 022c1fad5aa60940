"""Self-care of a customer, above its accounts: its funds, their calls, and the blocking of one that was lost."""

from typing import Any, Final

from flask import abort, flash, redirect, render_template, request, url_for

from webcb import clock, db
from webcb.models import Account, Audit, Callback, Customer, Xdr
from webcb.web import progress
from webcb.web.forms import PressForm
from webcb.web.languages import gettext
from webcb.web.owning import blueprint, customer
from webcb.web.selfcare import PAGE_ROWS, calls_as_csv, filtered

ACCOUNTS_ON_PAGE: Final = 50
LIVE_MAX: Final = 20


@blueprint.get("/company")
@customer
def company(of: Customer) -> Any:
    """Funds, the accounts, and the calls of any of them that go on."""
    page = max(1, min(10**6, request.args.get("page", 1, type=int) or 1))
    sought = request.args.get("login", "")[:64]
    accounts = Account.select().where(Account.customer == of).order_by(Account.login)
    if sought:
        accounts = accounts.where(Account.login.startswith(sought))
    rows = list(accounts.paginate(page, ACCOUNTS_ON_PAGE + 1))
    going = Callback.select(Callback.id).join(Account).where((Account.customer == of) & (Callback.state != "ended"))
    live = [(each.id, progress.look(each.id)) for each in going.order_by(Callback.requested_at).limit(LIVE_MAX)]
    return render_template(
        "selfcare/company.html",
        customer=of,
        wallet=of.wallet,
        accounts=rows[:ACCOUNTS_ON_PAGE],
        has_more=len(rows) > ACCOUNTS_ON_PAGE,
        page=page,
        sought=sought,
        live=live,
        press=PressForm(formdata=None),
    )


@blueprint.post("/company/accounts/<int:account_id>/block")
@customer
def company_block(of: Customer, account_id: int) -> Any:
    """Block an account of the company. To let it call again is the operator's: he may have reasons of his own."""
    mine = (Account.id == min(account_id, 2**62)) & (Account.customer == of) & ~Account.closed
    account = Account.get_or_none(mine)
    if account is None:
        abort(404)
    with db.writing():
        Account.update(blocked=True).where(Account.id == account.id).execute()
        Audit.create(
            at=clock.utc_now(), made_by=f"customer:{of.name}"[:64], action="block", subject=f"account {account.login}"
        )
    flash(gettext("Saved."))
    return redirect(url_for("selfcare.company"), 303)


@blueprint.get("/company/calls")
@customer
def company_calls(of: Customer) -> Any:
    """What was charged to the company's accounts, newest first; by days, number and account, `?format=csv` as a file."""
    asked = {name: request.args.get(name, "")[:64] for name in ("since", "until", "number", "login")}
    found = filtered(Xdr.select().join(Account).where(Xdr.customer == of), asked, of.billing_time_zone)
    if asked["login"]:
        found = found.where(Account.login == asked["login"])
    if request.args.get("format") == "csv":
        return calls_as_csv(found, of.billing_time_zone, with_account=True)
    page = max(1, min(10**6, request.args.get("page", 1, type=int) or 1))
    rows = list(found.paginate(page, PAGE_ROWS + 1))
    return render_template(
        "selfcare/company_calls.html",
        customer=of,
        zone=of.billing_time_zone,
        charges=rows[:PAGE_ROWS],
        has_more=len(rows) > PAGE_ROWS,
        page=page,
        asked={name: text for name, text in asked.items() if text},
    )
