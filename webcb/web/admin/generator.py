"""The account generator, and what is done to a whole batch: the fields of the handbook in its order; the clerk does the work.

A job's page follows it: by script where there is some, else by loading itself again.
"""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final
from zoneinfo import available_timezones

from flask import abort, current_app, flash, redirect, render_template, request, send_file, url_for
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from webcb import clock, db, doorbell
from webcb.billing import batch as batches
from webcb.models import Audit, Batch, Customer, Distributor, Job, Product
from webcb.money import AmountError, parse_amount
from webcb.web.admin import signing
from webcb.web.admin.moments import moment, moment_field, zone_field
from webcb.web.admin.screen import blueprint, found
from webcb.web.admin.signing import guarded
from webcb.web.forms import PressForm, add_error

AREA: Final = "sales"
LANGUAGES: Final = {
    "en": "English",
    "es": "Español",
    "pt": "Português",
    "fr": "Français",
    "de": "Deutsch",
    "ru": "Русский",
    "ar": "العربية",
}
LISTED_MAX: Final = 1000


def _pairs(values: dict[str, str]) -> list[SelectChoice]:
    return [SelectChoice(value, label) for value, label in values.items()]


class GeneratorForm(FlaskForm):  # type: ignore[misc]
    """The dialog of the handbook: initial configuration, optional configuration, life cycle, web self-care."""

    customer = SelectField("Customer", validate_choice=False)
    role = SelectField("Account role", choices=["Universal"])
    type = SelectField("Type", choices=_pairs({"debit": "Debit", "credit": "Credit"}))
    product = SelectField("Product", validate_choice=False)
    quantity = IntegerField("Quantity")
    existing = SelectField("Batch", validate_choice=False)
    batch = StringField("New batch name")

    opening_balance = StringField("Opening balance", default="0")
    credit_limit = StringField("Credit limit", default="0")
    requires_activation = BooleanField("Requires manual activation", default=True)
    method = SelectField("Generation method", choices=["Random"])
    prefix = StringField("ID prefix", default="cb")
    length = IntegerField("ID length", default=9)
    service_passwords = RadioField(
        "Service password", choices=_pairs({"auto": "Auto generated", "empty": "Empty"}), default="auto"
    )
    distributor = SelectField("Distributor", validate_choice=False)

    activation_at, activation_at_zone = moment_field("Activation date"), zone_field()
    expires_at, expires_at_zone = moment_field("Expiration date"), zone_field()
    days_after_first_use = IntegerField("Availability period after first usage, days", validators=[Optional()])
    days_after_last_use = IntegerField("Availability period after last usage, days", validators=[Optional()])

    e_commerce = BooleanField("E-Commerce enabled")

    self_care = SelectField("Credentials", choices=_pairs({"auto-generated": "Auto-generated", "empty": "Empty"}))
    time_zone = SelectField("Time zone", choices=sorted(available_timezones()), default="UTC")
    language = SelectField("Web interface language", choices=_pairs(LANGUAGES))
    mail_to = BooleanField("Mail me the file")


HINTS: Final = {
    "customer": "Whose accounts they are.",
    "role": "The defined usage for the accounts.",
    "type": "Debit: funds fall to 0, as on a card. Credit: debt rises to the limit.",
    "product": "The main product that the accounts will have.",
    "quantity": "Number of accounts (callback cards) to be generated.",
    "existing": "Accounts are grouped into batches: a new one, or one that exists.",
    "batch": "A name for the new batch.",
    "opening_balance": "The initial balance on each card.",
    "credit_limit": "Of each, with type Credit.",
    "requires_activation": "Generated as inactive, cards cannot be misused before they are sold. The batch is activated later.",
    "method": "Every account is assigned a unique, randomly generated ID (PIN).",
    "prefix": "cb keeps accounts of callback apart. All IDs begin with it: cb1818 and an ID length of 9 make cb1818NNNNN.",
    "length": "How many digits an ID has, those of the prefix counted; none begins with 0.",
    "service_passwords": "With which a card's owner asks for a callback.",
    "distributor": "To whom this group of accounts is assigned.",
    "activation_at": "The date from which the accounts are usable.",
    "expires_at": "The date on which the accounts expire.",
    "days_after_first_use": "How many days an account remains active after its first use or recharge.",
    "days_after_last_use": "How many days an account remains active after its last use or recharge.",
    "e_commerce": "Their owners may top them up through the payment provider.",
    "self_care": "Auto-generated: owners log in with their ID and a random password. Empty: not before a password is set.",
    "time_zone": "In which an owner sees the times of his calls.",
    "language": "Of the account's self-care pages.",
    "mail_to": "Sent to the address of your user when all accounts are there.",
}
PANELS: Final = (
    ("Initial configuration", ("customer", "role", "type", "product", "quantity", "existing", "batch")),
    (
        "Optional configuration",
        (
            "opening_balance",
            "credit_limit",
            "requires_activation",
            "method",
            "prefix",
            "length",
            "service_passwords",
            "distributor",
        ),
    ),
    ("Life cycle", ("activation_at", "expires_at", "days_after_first_use", "days_after_last_use", "e_commerce")),
    ("Web self-care", ("self_care", "time_zone", "language")),
    ("The file", ("mail_to",)),
)


@blueprint.route("/account-generator", methods=["GET", "POST"], endpoint="account_generator")
@guarded("sales.change")
def account_generator() -> Any:
    """Generate accounts into a batch."""
    user: Any = signing.current()
    form = GeneratorForm(data=None if request.method == "POST" else {"time_zone": user.time_zone, **_asked()})
    form.customer.choices = _names(Customer, "Choose …")
    form.product.choices = _names(Product, "Choose …")
    form.distributor.choices = _names(Distributor, "— none —")
    form.existing.choices = _names(Batch, "Add a new batch")
    if request.method == "POST":
        is_well_typed = form.validate()
        order = _order(form)
        if order is not None and is_well_typed:
            mail_to = user.mail if form.mail_to.data else ""
            try:
                job_id = batches.ask(order, f"user:{user.login}"[:64], mail_to, clock.utc_now())
            except batches.OrderRefused as refused:
                for name, text in refused.problems:
                    place = "existing" if name == "batch" and form.existing.data else name
                    add_error(form[place], text[:1].upper() + text[1:] + ".")
            else:
                doorbell.ring(current_app.extensions["webcb_settings"].clerk_bell)
                return redirect(url_for("admin.job", job_id=job_id), 303)
    status = 422 if request.method == "POST" else 200
    return render_template("admin/generator.html", form=form, panels=PANELS, hints=HINTS), status


def _asked() -> dict[str, Any]:
    """What the address fills in."""
    return {name: value for name, value in request.args.items() if name in GeneratorForm.__dict__}


def _names(table: Any, blank: str) -> list[SelectChoice]:
    rows = table.select(table.name).order_by(table.name).limit(LISTED_MAX)
    return [SelectChoice("", blank), *(SelectChoice(row.name, row.name) for row in rows)]


def _order(form: GeneratorForm) -> batches.Order | None:
    """What was typed as an order; None where a part is none, which then is said beside it."""
    values: dict[str, Any] = {
        "batch": form.existing.data or (form.batch.data or "").strip(),
        "into_existing": bool(form.existing.data),
        "opening_balance_micros": _micros(form.opening_balance),
        "credit_limit_micros": _micros(form.credit_limit),
        "service_passwords": form.service_passwords.data == "auto",
        "activation_at": moment(form, "activation_at"),
        "expires_at": moment(form, "expires_at"),
    }
    for each in fields(batches.Order):
        if each.name not in values:
            value = form[each.name].data
            values[each.name] = value.strip() if isinstance(value, str) else value
    for name in ("quantity", "length"):
        if values[name] is None and not form[name].errors:
            add_error(form[name], "Write a whole number.")
    return None if form.errors else batches.Order(**values)


def _micros(field: Any) -> int:
    try:
        return parse_amount((field.data or "0").strip() or "0")
    except AmountError as wrong:
        add_error(field, str(wrong)[:1].upper() + str(wrong)[1:])
        return 0


# Jobs ----------------------------------------------------------------------------------------------------------------


@blueprint.get("/jobs/<int:job_id>", endpoint="job")
@guarded("sales.see")
def job(job_id: int) -> Any:
    """How far a job is; with `?part=1` only the part that changes."""
    row = found(Job, job_id)
    template = "admin/_job.html" if request.args.get("part") else "admin/job.html"
    return render_template(template, job=row, is_over=row.state in ("done", "failed"))


@blueprint.get("/jobs/<int:job_id>/file", endpoint="job_file")
@guarded("sales.change")
def job_file(job_id: int) -> Any:
    """The file of a job; passwords stand in it, so only who changes accounts has it, and it is noted who took it."""
    row = found(Job, job_id)
    folder: Path = current_app.extensions["webcb_settings"].data_dir / batches.CARDS
    path = folder / Path(row.file).name
    if not row.file or row.file != f"{batches.CARDS}/{path.name}" or path.is_symlink() or not path.is_file():
        abort(404)
    user: Any = signing.current()
    with db.writing():
        who = f"user:{user.login}"[:64]
        Audit.create(at=clock.utc_now(), made_by=who, action="file of cards downloaded", subject=f"job {row.id}")
    return send_file(path.resolve(), mimetype="text/csv", as_attachment=True, download_name=path.name)


# Batches -------------------------------------------------------------------------------------------------------------

_ACTIONS: Final = {
    "activate": ("Activate", "Every account of it may be used from now on."),
    "block": ("Block", "No account of it may call; calls in progress end."),
    "unblock": ("Unblock", "Every account of it may call again."),
}


@blueprint.route("/batches/<int:batch_id>", methods=["GET", "POST"], endpoint="batch")
@guarded("sales.change")
def batch(batch_id: int) -> Any:
    """A batch: activate, block or unblock all of it, after it was confirmed."""
    row = found(Batch, batch_id)
    asked = request.form.get("action", "")
    user: Any = signing.current()
    if request.method == "POST" and asked in _ACTIONS and request.form.get("sure") == "y":
        who, at = f"user:{user.login}"[:64], clock.utc_now()
        try:
            changed = (
                batches.set_activated(row, who, at)
                if asked == "activate"
                else batches.set_blocked(row, asked == "block", who, at)
            )
        except batches.BatchBusy as busy:
            flash(str(busy)[:1].upper() + str(busy)[1:] + ".")
        else:
            doorbell.ring(current_app.extensions["webcb_doorbell"])
            flash(f"Batch {row.name}: {changed:,} accounts changed ({asked}).")
        return redirect(url_for("admin.batches"), 303)
    status = 422 if request.method == "POST" else 200
    jobs_of = [each for each in _jobs() if each.plan.find(f'"batch": {row.id},') >= 0]
    return render_template("admin/batch.html", batch=row, actions=_ACTIONS, jobs=jobs_of, press=PressForm()), status


def _jobs() -> Iterator[Any]:
    return iter(Job.select().where(Job.kind == batches.KIND).order_by(Job.id.desc()).limit(LISTED_MAX))
