"""The forms of the pages: their fields, and the reading of what was typed. Protection against forged posts is Flask-WTF's."""

from typing import Any

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from markupsafe import Markup, escape
from wtforms import Field, HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, Length
from wtforms.widgets.core import Input, clean_key

from webcb.billing.credentials import PASSWORD_LENGTH_MAX
from webcb.billing.reception import CallbackKind
from webcb.number import TYPED_LENGTH_MAX, Number, NumberError, parse_number
from webcb.web import languages
from webcb.web.languages import gettext

LOGIN_LENGTH_MAX = 64
CODE_LENGTH_MAX = 16  # figures, and the spaces that somebody types between them
TOO_LONG = lazy_gettext("This is longer than %(max)d characters.")


def stripped(text: str | None) -> str | None:
    """What was typed without the spaces around it."""
    # PostgreSQL keeps no NUL in a text, and nobody types one.
    return text.replace("\0", "").strip() if text else text


def code_field() -> Field:
    """For the code that was said to A."""
    return StringField(
        lazy_gettext("Code"), filters=[stripped], validators=[Length(max=CODE_LENGTH_MAX, message=TOO_LONG)]
    )


def attributes(**given: Any) -> Markup:
    """What `wtforms.widgets.html_params` makes of the same, which formats and escapes each part of each attribute anew."""
    parts = []
    for name, value in sorted(given.items()):
        if value is False:
            continue
        key = clean_key(name)
        parts.append(key if value is True else f'{key}="{str(escape(value)).replace(_QUOTE, "&quot;")}"')
    return Markup(" ".join(parts))  # noqa: S704  each value was escaped


_QUOTE = '"'
Input.html_params = staticmethod(attributes)


class Form(FlaskForm):  # type: ignore[misc]
    """A form of the pages for everybody."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        def get_translations(self, _form: Any) -> Any:
            """Flask-WTF would read WTForms' own texts from their file for every form."""
            return languages.form_translations()


class HostedForm(Form):
    """The Hosted trigger page (domain 1): only where to ring; everything else is said on the phone.

    `nonce` is this one form's mark, `quoted` the mark of the price that was shown with it, `answer` that of the challenge; `code` was
    said to A where it has to be proven.
    """

    number_a = StringField(
        lazy_gettext("Number to be called at"),
        filters=[stripped],
        validators=[
            DataRequired(lazy_gettext("Enter the number of the phone you are at.")),
            Length(max=TYPED_LENGTH_MAX, message=TOO_LONG),
        ],
    )
    code = code_field()
    nonce = HiddenField()
    quoted = HiddenField()
    answer = HiddenField()

    def numbers(self, default_country: str) -> tuple[Number, Number | None] | None:
        """The numbers typed, A and B; None when one of them is none, which then is said beside its field. Validate first."""
        number_a = _number(self.number_a, default_country)
        return (number_a, None) if number_a else None

    def typed(self, name: str) -> str:
        """What was typed into a field; "" where this kind does not ask for it."""
        return (self[name].data or "") if name in self else ""


class SimpleForm(HostedForm):
    """The Simple trigger page: an account, and where to ring; the trigger says whom to connect with."""

    login = StringField(
        lazy_gettext("Account ID"),
        filters=[stripped],
        validators=[
            DataRequired(lazy_gettext("Enter your account ID.")),
            Length(max=LOGIN_LENGTH_MAX, message=TOO_LONG),
        ],
    )


class ExtendedForm(SimpleForm):
    """The Extended trigger page: who pays, where to ring first, where to ring then."""

    password = PasswordField(lazy_gettext("Password"), validators=[Length(max=PASSWORD_LENGTH_MAX, message=TOO_LONG)])
    number_b = StringField(
        lazy_gettext("Number to dial"),
        filters=[stripped],
        validators=[
            DataRequired(lazy_gettext("Enter the number you want to talk to.")),
            Length(max=TYPED_LENGTH_MAX, message=TOO_LONG),
        ],
    )

    def numbers(self, default_country: str) -> tuple[Number, Number | None] | None:
        """Both as typed."""
        number_a = _number(self.number_a, default_country)
        number_b = _number(self.number_b, default_country)
        return (number_a, number_b) if number_a and number_b else None


FORMS: dict[CallbackKind, type[HostedForm]] = {"extended": ExtendedForm, "simple": SimpleForm, "hosted": HostedForm}


class PressForm(Form):
    """A form of one button: nothing is typed, only the token shows that it was our page that asked."""


def _number(field: Field, default_country: str) -> Number | None:
    if field.errors:
        return None
    try:
        return parse_number(field.data or "", default_country)
    except NumberError as wrong:
        add_error(field, number_error(wrong))
        return None


def number_error(wrong: NumberError) -> str:
    """What is wrong with a number, in the reader's language."""
    values = {name: languages.isolated(str(each)) if name == "example" else each for name, each in wrong.values.items()}
    return gettext(wrong.template, **values)


def add_error(field: Field, text: str) -> None:
    """Say something beside a field that the form itself could not know."""
    field.errors = [*field.errors, text]
