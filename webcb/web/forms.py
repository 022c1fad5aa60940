"""The forms of the pages: their fields, and the reading of what was typed. Protection against forged posts is Flask-WTF's."""

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, Length

from webcb.billing.credentials import PASSWORD_LENGTH_MAX
from webcb.number import TYPED_LENGTH_MAX, Number, NumberError, parse_number
from webcb.web import languages
from webcb.web.languages import gettext

LOGIN_LENGTH_MAX = 64
TOO_LONG = lazy_gettext("This is longer than %(max)d characters.")


def _stripped(text: str | None) -> str | None:
    # PostgreSQL keeps no NUL in a text, and nobody types one.
    return text.replace("\0", "").strip() if text else text


class ExtendedForm(FlaskForm):  # type: ignore[misc]
    """The Extended trigger page (domain 1): who pays, where to ring first, where to ring then.

    `nonce` is this one form's mark, `quoted` the mark of the price that was shown with it.
    """

    login = StringField(
        lazy_gettext("Account ID"),
        filters=[_stripped],
        validators=[
            DataRequired(lazy_gettext("Enter your account ID.")),
            Length(max=LOGIN_LENGTH_MAX, message=TOO_LONG),
        ],
    )
    password = PasswordField(lazy_gettext("Password"), validators=[Length(max=PASSWORD_LENGTH_MAX, message=TOO_LONG)])
    number_a = StringField(
        lazy_gettext("Number to be called at"),
        filters=[_stripped],
        validators=[
            DataRequired(lazy_gettext("Enter the number of the phone you are at.")),
            Length(max=TYPED_LENGTH_MAX, message=TOO_LONG),
        ],
    )
    number_b = StringField(
        lazy_gettext("Number to dial"),
        filters=[_stripped],
        validators=[
            DataRequired(lazy_gettext("Enter the number you want to talk to.")),
            Length(max=TYPED_LENGTH_MAX, message=TOO_LONG),
        ],
    )
    nonce = HiddenField()
    quoted = HiddenField()

    def numbers(self, default_country: str) -> tuple[Number, Number] | None:
        """The two numbers typed; None when one of them is none, which then is said beside its field. Validate first."""
        number_a = _number(self.number_a, default_country)
        number_b = _number(self.number_b, default_country)
        return (number_a, number_b) if number_a and number_b else None


class PressForm(FlaskForm):  # type: ignore[misc]
    """A form of one button: nothing is typed, only the token shows that it was our page that asked."""


def _number(field: Field, default_country: str) -> Number | None:
    if field.errors:
        return None
    try:
        return parse_number(field.data or "", default_country)
    except NumberError as wrong:
        values = {
            name: languages.isolated(str(each)) if name == "example" else each for name, each in wrong.values.items()
        }
        add_error(field, gettext(wrong.template, **values))
        return None


def add_error(field: Field, text: str) -> None:
    """Say something beside a field that the form itself could not know."""
    field.errors = [*field.errors, text]
