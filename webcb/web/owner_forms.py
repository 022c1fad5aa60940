"""The forms of self-care."""

from zoneinfo import available_timezones

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from webcb.billing.credentials import PASSWORD_LENGTH_MAX
from webcb.number import TYPED_LENGTH_MAX
from webcb.web.forms import LOGIN_LENGTH_MAX, TOO_LONG, code_field, stripped
from webcb.web.languages import NAMES

PASSWORD_LENGTH_MIN = 10
CODE_LENGTH_MAX = 40


class SignInForm(FlaskForm):  # type: ignore[misc]
    """Who is it?"""

    login = StringField(
        lazy_gettext("Login"),
        filters=[stripped],
        validators=[
            DataRequired(lazy_gettext("Enter your login.")),
            Length(max=LOGIN_LENGTH_MAX, message=TOO_LONG),
        ],
    )
    password = PasswordField(
        lazy_gettext("Password"),
        validators=[
            DataRequired(lazy_gettext("Enter your password.")),
            Length(max=PASSWORD_LENGTH_MAX, message=TOO_LONG),
        ],
    )


class VoucherForm(FlaskForm):  # type: ignore[misc]
    """A voucher's code."""

    code = StringField(
        lazy_gettext("Voucher code"),
        filters=[stripped],
        validators=[
            DataRequired(lazy_gettext("Enter the code of your voucher.")),
            Length(max=CODE_LENGTH_MAX, message=TOO_LONG),
        ],
    )


class SettingsForm(FlaskForm):  # type: ignore[misc]
    """Language, of the voice as well, and time zone."""

    language = SelectField(lazy_gettext("Language"), choices=[SelectChoice(code, name) for code, name in NAMES.items()])
    time_zone = SelectField(
        lazy_gettext("Time zone"),
        choices=[SelectChoice(name) for name in sorted(available_timezones() - {"localtime"})],
    )


class NewPasswordForm(FlaskForm):  # type: ignore[misc]
    """A new password."""

    new = PasswordField(
        lazy_gettext("New password"),
        validators=[
            Length(
                min=PASSWORD_LENGTH_MIN,
                max=PASSWORD_LENGTH_MAX,
                message=lazy_gettext("Take %(min)d to %(max)d characters."),
            )
        ],
    )


class PasswordForm(NewPasswordForm):
    """A new password, and the one until now."""

    old = PasswordField(
        lazy_gettext("Password until now"),
        validators=[
            DataRequired(lazy_gettext("Enter your password.")),
            Length(max=PASSWORD_LENGTH_MAX, message=TOO_LONG),
        ],
    )


class RecoveryForm(FlaskForm):  # type: ignore[misc]
    """Who has forgotten his password?"""

    login = StringField(
        lazy_gettext("Login"),
        filters=[stripped],
        validators=[
            DataRequired(lazy_gettext("Enter your login.")),
            Length(max=LOGIN_LENGTH_MAX, message=TOO_LONG),
        ],
    )


class NumberForm(FlaskForm):  # type: ignore[misc]
    """A telephone number to keep, under a name where it is somebody else's."""

    name = StringField(lazy_gettext("Name"), filters=[stripped], validators=[Length(max=64, message=TOO_LONG)])
    number = StringField(
        lazy_gettext("Number"),
        filters=[stripped],
        validators=[
            DataRequired(lazy_gettext("Enter the number.")),
            Length(max=TYPED_LENGTH_MAX, message=TOO_LONG),
        ],
    )


class AmountForm(FlaskForm):  # type: ignore[misc]
    """How much is paid in."""

    amount = StringField(
        lazy_gettext("Amount"),
        filters=[stripped],
        validators=[DataRequired(lazy_gettext("Enter an amount.")), Length(max=20, message=TOO_LONG)],
    )


class OwnCallForm(FlaskForm):  # type: ignore[misc]
    """A call from self-care: whose account it is, is known."""

    number_a = StringField(
        lazy_gettext("Number to be called at"),
        filters=[stripped],
        validators=[
            DataRequired(lazy_gettext("Enter the number of the phone you are at.")),
            Length(max=TYPED_LENGTH_MAX, message=TOO_LONG),
        ],
    )
    number_b = StringField(
        lazy_gettext("Number to dial"),
        filters=[stripped],
        validators=[
            DataRequired(lazy_gettext("Enter the number you want to talk to.")),
            Length(max=TYPED_LENGTH_MAX, message=TOO_LONG),
        ],
    )
    code = code_field()
    nonce = HiddenField()
    quoted = HiddenField()
