"""Programs: API keys, made and ended here, and what became of the webhooks."""

from typing import Any, Final

from flask import abort, current_app, flash, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from peewee import JOIN, Value
from wtforms import IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, Optional, ValidationError

from webcb import clock, doorbell, sinks
from webcb.models import Account, ApiKey, Audit, Sink, SinkEvent, VoiceApplication
from webcb.web import bearer
from webcb.web.admin import signing
from webcb.web.admin.editor import Ticks
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Between, Choice, Column, Listing
from webcb.web.admin.screen import blueprint, found, screen
from webcb.web.admin.signing import guarded
from webcb.web.forms import PressForm, add_error

AREA: Final = "setup"
DAYS_MAX: Final = 3650
REQUESTS_PER_MINUTE_MAX: Final = 100_000
_SCOPES: Final = {
    "calls": "calls: place, follow and end calls of the account",
    "account": "account: prices, balance and xDRs of the account",
    "accounts": "accounts: all accounts, their balances and xDRs",
    "funds": "funds: payments, credits and charges",
    "provisioning": "provisioning: the whole configuration",
}

_KEY_STATES: Final = ("usable", "expired", "revoked")


def _key_state(row: Any) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= clock.utc_now() else "usable"


def _in_key_state(value: str) -> Any:
    is_over = ApiKey.expires_at.is_null(False) & (ApiKey.expires_at <= clock.utc_now())
    if value == "revoked":
        return ApiKey.revoked_at.is_null(False)
    return ApiKey.revoked_at.is_null() & (is_over if value == "expired" else ~is_over)


def _with_scope(value: str) -> Any:
    return Value(",").concat(ApiKey.scopes).concat(",").contains(f",{value},")


screen(
    "api-keys",
    AREA,
    Listing(
        "api-keys",
        "API keys",
        lambda: ApiKey.select(ApiKey, Account).join(Account, JOIN.LEFT_OUTER),
        ApiKey.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=ApiKey.name,
                link=lambda row: url_for("admin.api_key", key_id=row.id),
            ),
            Column(
                "account",
                "Account",
                lambda row: row.account.login if row.account else "(operator)",
                filter=Contains(Account.login, from_start=True, by=ApiKey.account),
            ),
            Column("scopes", "May", lambda row: row.scopes, filter=Choice(tuple(_SCOPES), _with_scope)),
            Column("networks", "From", lambda row: row.networks),
            Column(
                "requests_per_minute",
                "Requests a minute",
                lambda row: row.requests_per_minute,
                "number",
                order=ApiKey.requests_per_minute,
            ),
            Column(
                "made_at",
                "Made",
                lambda row: row.made_at,
                "instant",
                order=ApiKey.made_at,
                filter=Between(ApiKey.made_at),
                shown=False,
            ),
            Column("expires_at", "Good until", lambda row: row.expires_at, "instant"),
            Column("used_at", "Last used", lambda row: row.used_at, "instant"),
            Column("revoked_at", "Revoked", lambda row: row.revoked_at, "instant"),
            Column("state", "State", _key_state, "state", filter=Choice(_KEY_STATES, _in_key_state)),
        ),
        "name",
        search=(Contains(ApiKey.name), Contains(Account.login, from_start=True, by=ApiKey.account)),
        empty="There is no API key yet. One is made here, or by the command webcb keys add, and shown once.",
        actions=(("Add API key", "admin.api_key_new", "setup.change"), ("Webhooks", "admin.webhooks", "setup.see")),
    ),
)


class _UpTo:
    """A whole number from 1 to `most`; that of WTForms goes by way of a float, which a number of 400 digits breaks."""

    def __init__(self, most: int) -> None:
        self._most = most

    def __call__(self, _: FlaskForm, field: IntegerField) -> None:
        if field.data is None or not 1 <= field.data <= self._most:
            raise ValidationError(f"Write a number from 1 to {self._most}.")


class KeyForm(FlaskForm):  # type: ignore[misc]
    """A key that is to be made."""

    name = StringField("Name", validators=[DataRequired("Enter a name."), Length(max=bearer.NAME_LENGTH_MAX)])
    account = StringField("Account ID", validators=[Optional(), Length(max=64)])
    voice_application = SelectField("Voice application")
    scopes = Ticks(
        "What it may", choices=[SelectChoice(scope, said) for scope, said in _SCOPES.items()], validate_choice=False
    )
    networks = StringField("Allowed networks", validators=[Optional(), Length(max=bearer.NETWORKS_LENGTH_MAX)])
    requests_per_minute = IntegerField("Requests a minute", default=120, validators=[_UpTo(REQUESTS_PER_MINUTE_MAX)])
    days = IntegerField("Good for days", validators=[Optional(), _UpTo(DAYS_MAX)])
    webhook_url = StringField("Webhook", validators=[Optional(), Length(max=1000)])


@blueprint.route("/api-keys/new", methods=["GET", "POST"], endpoint="api_key_new")
@guarded("setup.change")
def new() -> Any:
    """Make a key; it and the secret of its webhooks are shown once."""
    form = KeyForm(data={"scopes": ["calls", "account"], "requests_per_minute": 120, "voice_application": "-"})
    paths = VoiceApplication.select(VoiceApplication.path, VoiceApplication.name).order_by(VoiceApplication.name)
    form.voice_application.choices = [SelectChoice(row.path, row.name) for row in paths]
    if request.method == "GET":
        return render_template("admin/api_key.html", form=form, row=None)
    made = _make(form) if form.validate() else None
    if made is None:
        return render_template("admin/api_key.html", form=form, row=None), 422
    return render_template("admin/api_key_made.html", name=form.name.data, made=made), 201


def _make(form: KeyForm) -> bearer.Made | None:
    login = (form.account.data or "").strip()
    account = Account.get_or_none(Account.login == login) if login and login.isprintable() else None
    if login and account is None:
        add_error(form.account, "There is no such account.")
        return None
    application = VoiceApplication.get_or_none(VoiceApplication.path == form.voice_application.data)
    wanted = bearer.Wanted(
        name=(form.name.data or "").strip(),
        scopes=tuple(form.scopes.data or ()),
        account=account,
        voice_application=application if account else None,
        networks=(form.networks.data or "").strip(),
        requests_per_minute=form.requests_per_minute.data or 120,
        days=form.days.data,
        webhook_url=(form.webhook_url.data or "").strip(),
    )
    try:
        return bearer.make(wanted, bearer.webhook_networks(), _who(), clock.utc_now())
    except bearer.KeyProblem as wrong:
        add_error(form[wrong.field], f"{str(wrong)[:1].upper()}{str(wrong)[1:]}.")
        return None


@blueprint.route("/api-keys/<int:key_id>", methods=["GET", "POST"], endpoint="api_key")
@guarded("setup.see")
def key(key_id: int) -> Any:
    """A key: what it may, its last use; revoke it."""
    row = found(ApiKey, key_id)
    form = PressForm()
    if request.method == "POST":
        _may_change()
        if form.validate() and bearer.revoke(row.name, _who(), clock.utc_now()):
            flash(f"The key {row.name} is revoked.")
        return redirect(url_for("admin.api_keys"), 303)
    return render_template("admin/api_key.html", form=form, row=row, said=_SCOPES)


def _state(row: Any) -> str:
    return "dead" if row.dead_at else "delivered" if row.delivered_at else "to be tried again" if row.tries else "due"


_STATES: Final = {
    "due": SinkEvent.due_at.is_null(False),
    "delivered": SinkEvent.delivered_at.is_null(False),
    "dead": SinkEvent.dead_at.is_null(False),
}

screen(
    "webhooks",
    AREA,
    Listing(
        "webhooks",
        "Webhooks",
        lambda: SinkEvent.select(SinkEvent, Sink, ApiKey).join(Sink).join(ApiKey),
        SinkEvent.id,
        (
            Column(
                "at",
                "At",
                lambda row: row.at,
                "instant",
                order=SinkEvent.at,
                filter=Between(SinkEvent.at),
                link=lambda row: url_for("admin.webhook", event_id=row.id),
            ),
            Column("key", "API key", lambda row: row.sink.api_key.name, filter=Contains(ApiKey.name, by=Sink.api_key)),
            Column("url", "To", lambda row: row.sink.url.partition("?")[0]),
            Column("state", "Call", lambda row: row.state),
            Column("now", "Message", _state, filter=Choice(list(_STATES), lambda value: _STATES[value])),
            Column("tries", "Tries", lambda row: row.tries, "number"),
            Column("said", "Last answer", lambda row: row.said),
            Column("due_at", "Next try", lambda row: row.due_at, "instant"),
        ),
        "at",
        descending=True,
        search=(Contains(ApiKey.name, by=Sink.api_key),),
        empty="No program was told of a call yet. Those with an API key may name an address that is told how their calls go on.",
    ),
)


@blueprint.route("/webhooks/<int:event_id>", methods=["GET", "POST"], endpoint="webhook")
@guarded("setup.see")
def webhook(event_id: int) -> Any:
    """What became of one message; send it again where it is dead."""
    row = found(SinkEvent, event_id)
    form = PressForm()
    if request.method == "POST":
        _may_change()
        at = clock.utc_now()
        if form.validate() and sinks.revive(SinkEvent.id == row.id, at):
            Audit.create(at=at, made_by=_who(), action="webhook sent again", subject=f"webhook {row.id}")
            doorbell.ring(current_app.extensions["webcb_settings"].clerk_bell)
            flash("It is sent again.")
        return redirect(url_for("admin.webhook", event_id=row.id), 303)
    return render_template("admin/webhook.html", row=row, form=form, state=_state(row))


def _may_change() -> None:
    from webcb.web.admin.permission import may

    user: Any = signing.current()
    if not may(user.role, "setup.change"):
        abort(403)


def _who() -> str:
    user: Any = signing.current()
    return f"user:{user.login}"[:64]
