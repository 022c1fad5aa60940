"""What fields of one entry may not say together. Pure: the values are those that would hold after the apply, by field name."""

from collections.abc import Callable, Mapping
from typing import Any

Values = Mapping[str, Any]
Contradictions = list[tuple[str, str]]  # field, what would be right

# Pages of the service itself: an application there could not be reached.
RESERVED_PATHS = frozenset(
    {
        "admin",
        "api",
        "bootstrap",
        "brand.css",
        "callbacks",
        "healthz",
        "metrics",
        "readyz",
        "login",
        "logo",
        "numbers",
        "quote",
        "selfcare",
        "static",
        "widget",
    }
)


def _account(values: Values) -> Contradictions:
    found: Contradictions = []
    if values["balance_control"] == "subordinate":
        if values["type"] != "credit":
            found.append(("type", "a subordinate account uses its customer's funds; write type: credit"))
        found += [
            (field, "a subordinate account has no funds of its own; leave the line out or write it at the customer")
            for field in ("credit_limit", "opening_balance", "low_balance")
            if values[field]
        ]
    elif values["type"] == "debit" and values["credit_limit"]:
        found.append(("credit_limit", "a debit account cannot owe; write type: credit, or leave the line out"))
    if values["activation_at"] and values["expires_at"] and values["expires_at"] <= values["activation_at"]:
        found.append(("expires_at", "it would expire before its activation; write a later moment"))
    return found


def _customer(values: Values) -> Contradictions:
    if values["balance_control"] == "prepaid" and values["credit_limit"]:
        return [
            ("credit_limit", "a prepaid customer cannot owe; write balance_control: postpaid, or leave the line out")
        ]
    return []


def _tariff(values: Values) -> Contradictions:
    if values["second_off_peak_period"] and not values["off_peak_period"]:
        return [("second_off_peak_period", "there is no first; write it as off_peak_period")]
    return []


def _rate(values: Values) -> Contradictions:
    if values["mode"] == "flat":
        return []
    return [
        (field, "missing; a rate of mode off-peak has all four off-peak fields")
        for field in (
            "off_peak_first_price",
            "off_peak_next_price",
            "off_peak_first_interval_seconds",
            "off_peak_next_interval_seconds",
        )
        if values[field] is None
    ]


def _connection(values: Values) -> Contradictions:
    found: Contradictions = []
    if values["password"] and not values["username"]:
        found.append(("username", "missing; a password is of use only with a user name"))
    if values["tech_prefix"] and values["number_format"] == "plus":
        found.append(("number_format", "a + after the tech prefix is no number; write number_format: digits"))
    if values["identity_user"] and not values["identity_headers"]:
        found.append(("identity_headers", "missing; identity_user stands in none"))
    if not values["must_register"]:
        found += [
            (field, "of use only to register; write must_register: true, or leave the line out")
            for field in ("registrar", "register_user")
            if values[field]
        ]
    elif not (values["register_user"] or values["username"]):
        found.append(("register_user", "missing; write it, or a username, to register"))
    if values["transport"] == "auto" and values["port"]:
        found.append(
            ("transport", "auto leaves the port to be found out too; write udp, tcp or tls, or leave the port out")
        )
    if values["transport"] not in ("auto", "tls"):
        found += [
            (field, "of use only over TLS; write transport: tls, or leave the line out")
            for field in ("tls_ca_file", "tls_certificate_file", "tls_key_file")
            if values[field]
        ]
    elif values["tls_key_file"] and not values["tls_certificate_file"]:
        found.append(("tls_certificate_file", "missing; a key is of use only with its certificate"))
    return found


def _voice_application(values: Values) -> Contradictions:
    if values["path"] in RESERVED_PATHS:
        return [("path", f"/{values['path']} is a page of the service itself; choose another")]
    found: Contradictions = []
    kinds = values["kinds"].split(",")
    if "simple" in kinds and not values["second_number"]:
        found.append(("second_number", "missing; Simple connects with it"))
    if values["widget_account"] is not None and "simple" not in kinds:
        found.append(("widget_account", "of use only with Simple; add simple to kinds, or leave the line out"))
    if values["widget_origins"] and (values["needs_link"] or values["challenge_bits"] is not None):
        found.append(
            ("widget_origins", "the button has no signed link and does no sum; leave needs_link and challenge_bits out")
        )
    if values["widget_origins"] and kinds == ["extended"]:
        found.append(("widget_origins", "the button never asks for a password; add simple or hosted to kinds"))
    if values["code_paid_by"] == "internal account" and values["internal_account"] is None:
        found.append(("internal_account", "missing; the calls that say a code are charged to it"))
    if "hosted" in kinds and values["internal_account"] is None:
        found.append(("internal_account", "missing; Hosted is charged to it until somebody has logged in"))
    return found


RULES: dict[str, Callable[[Values], Contradictions]] = {
    "account": _account,
    "customer": _customer,
    "tariff": _tariff,
    "rate": _rate,
    "connection": _connection,
    "voice application": _voice_application,
}


def contradictions(noun: str, values: Values) -> Contradictions:
    """The fields of an entry that contradict others, each with what would be right."""
    return RULES[noun](values) if noun in RULES else []
