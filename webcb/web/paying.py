"""Topping up through the payment provider: the amount, the way there and back, and what the provider says of it."""

from typing import Any

from flask import abort, current_app, redirect, render_template, request, url_for

from webcb import clock, doorbell
from webcb.billing import credentials, payments
from webcb.models import Account, Payment
from webcb.money import AmountError, parse_amount
from webcb.web.access import from_elsewhere, public
from webcb.web.forms import PressForm, add_error
from webcb.web.languages import gettext
from webcb.web.owner_forms import AmountForm
from webcb.web.owning import blueprint, owner
from webcb.web.payment_provider import TEST, Notice, Provider, Wanted


def provider_of(account: Account) -> Provider | None:
    """Through whom this account may be topped up."""
    provider: Provider | None = current_app.extensions["webcb_payments"]
    return provider if account.e_commerce and account.balance_control == "individual" else None


@blueprint.route("/pay", methods=["GET", "POST"])
@owner("top-up")
def pay(account: Account) -> Any:
    """Ask how much, and send the payer to the provider."""
    provider = provider_of(account)
    if provider is None:
        abort(404)
    form = AmountForm()
    if form.is_submitted() and form.validate():
        try:
            made = payments.ask(account, parse_amount(form.amount.data), provider.name, clock.utc_now())
            wanted = Wanted(
                made.reference,
                made.amount_micros,
                made.currency,
                url_for("selfcare.paid", reference=made.reference, _external=True),
                url_for("selfcare.payment_notice", _external=True),
            )
            return redirect(provider.begin(wanted), 303)
        except (AmountError, ValueError):
            add_error(form.amount, gettext("Enter an amount from 1 to 10000, as in 20 or 7.50."))
        except OSError:
            current_app.logger.exception("the payment provider is away")
            add_error(form.amount, gettext("The payment service cannot be reached. Try again in a few minutes."))
    page = render_template("selfcare/pay.html", account=account, form=form, is_test=provider.name == TEST)
    return page, 422 if form.errors else 200


@blueprint.get("/payments/<reference>")
@owner("top-up")
def paid(account: Account, reference: str) -> Any:
    """Where the payer comes back to: what the provider has said so far, not what the address says."""
    return render_template("selfcare/paid.html", account=account, payment=_own(account, reference))


@blueprint.post("/payments/notice")
@from_elsewhere
@public
def payment_notice() -> Any:
    """What the provider tells us, proved by its own signature; the answer says whether it was understood."""
    provider: Provider | None = current_app.extensions["webcb_payments"]
    notice = provider.read_notice(request.get_data(), dict(request.headers)) if provider else None
    if notice is None:
        return "not understood\n", 400, {"Content-Type": "text/plain"}
    return f"{_settle(notice)}\n", 200, {"Content-Type": "text/plain"}


@blueprint.route("/payments/<reference>/test", methods=["GET", "POST"])
@owner("top-up")
def test_payment(account: Account, reference: str) -> Any:
    """The page of the provider without money: pay, or decline."""
    provider = provider_of(account)
    if provider is None or provider.name != TEST:
        abort(404)
    payment = _own(account, reference)
    form = PressForm()
    if not form.is_submitted() or not form.validate():
        return render_template("selfcare/test_payment.html", account=account, payment=payment, form=form)
    answer = "yes" if request.form.get("step") == "pay" else "no"
    said = {"reference": reference, "micros": payment.amount_micros, "currency": payment.currency, "paid": answer}
    body = "&".join(f"{name}={value}" for name, value in said.items()).encode()
    mark = credentials.sign("test payment", " ".join(str(value) for value in said.values()))
    notice = provider.read_notice(body, {"X-Mark": mark})
    assert notice is not None  # noqa: S101 - we have just signed it
    _settle(notice)
    return redirect(url_for("selfcare.paid", reference=reference), 303)


def _settle(notice: Notice) -> str:
    said = payments.settle(
        notice.reference, notice.amount_micros, notice.currency, clock.utc_now(), is_paid=notice.is_paid
    )
    if said == "paid":
        doorbell.ring(current_app.extensions["webcb_doorbell"])  # a call that runs out of money goes on
    return said


def _own(account: Account, reference: str) -> Payment:
    found: Payment | None = Payment.get_or_none((Payment.reference == reference[:64]) & (Payment.account == account))
    if found is None:
        abort(404)
    return found
