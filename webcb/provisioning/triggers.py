"""Entries of what callbacks are asked for at: voice applications with their guards, and the numbers that lead back to us."""

import re
from typing import Annotated, ClassVar

from webcb import brand
from webcb.billing import guard
from webcb.billing.period import parse as parse_period
from webcb.provisioning.carriers import RULE_RIGHT
from webcb.provisioning.entry import Entry
from webcb.provisioning.fields import (
    FUNDS_MAX,
    Reader,
    amount,
    choice,
    country_code,
    mail_address,
    naming,
    parsed,
    pattern,
    reference,
    several,
    text,
    whole,
    yes_no,
    zone,
)
from webcb.translation import RULE_LENGTH_MAX, parse_rule

CHARGES_MAX = 1_000_000_000  # units


def _texts(description: str) -> Reader:
    return parsed(
        brand.read_texts,
        brand.TEXTS_LENGTH_MAX,
        "a text, then others for readers of certain languages, as in Talk to us. [pt] Fale conosco.",
        f"{description}; empty: the built-in text",
    )


def _read_origins(written: str) -> None:
    for each in written.split(","):
        if not re.fullmatch(r"https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?", each):
            raise ValueError(f"{each[:60]!r} is no site; write it as in https://www.example.com, without a path")


class VoiceApplication(Entry):
    """A trigger: the page people are called from, and its limits."""

    NOUN = "voice application"
    COLUMNS: ClassVar[dict[str, str]] = {
        "unusual_charges": "unusual_charges_micros",
        "daily_spend_max": "daily_spend_max_micros",
        "daily_spend_max_a": "daily_spend_max_a_micros",
        "daily_spend_max_b": "daily_spend_max_b_micros",
        "daily_spend_max_block": "daily_spend_max_block_micros",
        "daily_spend_max_source": "daily_spend_max_source_micros",
    }
    name: Annotated[str, naming("its name")]
    path: Annotated[
        str,
        pattern(
            "-|[a-z0-9][a-z0-9-]{0,63}", "small letters, digits, dashes; - alone is the front page", "its page is /path"
        ),
    ]
    access_code: Annotated[str, text("by which usage charges are looked for", 32, least=1)] = "WEBCALLBACK"
    special_charge_if_leg_b_fails: Annotated[
        bool, yes_no("leg A is rated by CALLBACK_FAIL where B was not reached")
    ] = False
    use_account_id_as_ani: Annotated[bool, yes_no("the digits of the account ID are shown as calling number")] = False
    cli: Annotated[
        str, pattern("[0-9]{0,15}", "up to 15 digits", "calling number shown to A; empty: B's number", numeric=True)
    ] = ""
    default_country: Annotated[str, country_code("whose dialling habits typed numbers follow")] = "US"
    ring_seconds_a: Annotated[int, whole(5, 300, "how long A may ring")] = 45
    ring_seconds_b: Annotated[int, whole(5, 300, "how long B may ring")] = 60
    talk_seconds_max: Annotated[int, whole(1, 86_400, "longest talk, whatever the funds")] = 7200
    concurrent_per_account: Annotated[int, whole(1, 1000, "callbacks of one account at a time")] = 3
    premium_allowed: Annotated[bool, yes_no("premium, shared-cost, personal and satellite numbers may be called")] = (
        False
    )
    active: Annotated[bool, yes_no("false: the page says that the service is closed")] = True
    kinds: Annotated[str, several(("simple", "extended", "hosted"), "kinds of callback offered")] = "extended"
    second_number: Annotated[
        str,
        pattern("[0-9]{0,15}", "up to 15 digits", "whom Simple connects with, country code first", numeric=True),
    ] = ""
    internal_account: Annotated[
        str | None,
        reference("accounts", "pays for Hosted until somebody has logged in; nothing: no Hosted", or_nothing=True),
    ] = None
    account_id_rule: Annotated[
        str,
        parsed(
            parse_rule,
            RULE_LENGTH_MAX,
            RULE_RIGHT,
            "makes an account ID of the calling number, or of what was typed, where the account ID is used as ANI",
        ),
    ] = ""
    prompts_folder: Annotated[
        str,
        pattern(
            "([A-Za-z0-9][A-Za-z0-9._-]{0,63})?",
            "a name of letters, digits, dots, dashes",
            "folder below `<data_dir>/prompts/` whose recordings replace prompts; empty: none",
        ),
    ] = ""
    confirm_by_key: Annotated[bool, yes_no("A presses 1 before B is called, so that no voicemail is connected")] = False
    languages: Annotated[
        str, several(("en", "es", "pt", "fr", "de", "ru"), "of prompts; the first is spoken, key 3 goes on to the next")
    ] = "en,es,pt,fr,de,ru"
    allowed_prefixes: Annotated[
        str,
        parsed(
            guard.read_prefixes,
            guard.PREFIXES_LENGTH_MAX,
            "prefixes with country code, comma between, as in 55, 1206",
            "only numbers that begin like these are called, A and B; empty: all",
        ),
    ] = ""
    barred_prefixes: Annotated[
        str,
        parsed(
            guard.read_prefixes,
            guard.PREFIXES_LENGTH_MAX,
            "prefixes with country code, comma between, as in 53, 1900",
            "numbers that begin like these are not called, but for those a longer allowed prefix matches",
        ),
    ] = ""
    quiet_hours: Annotated[
        str,
        parsed(
            guard.read_quiet_hours,
            5,
            "two hours of the day, as in 22-7",
            "hours of A's own zone in which A is not rung",
        ),
    ] = ""
    asks_per_minute: Annotated[int | None, whole(1, 100_000, "callbacks asked for on it", or_nothing=True)] = None
    asks_per_minute_account: Annotated[int | None, whole(1, 100_000, "of those, of one account", or_nothing=True)] = 30
    asks_per_minute_a: Annotated[int | None, whole(1, 100_000, "of those, to one A", or_nothing=True)] = 10
    asks_per_minute_b: Annotated[int | None, whole(1, 100_000, "of those, to one B", or_nothing=True)] = 20
    asks_per_minute_block: Annotated[
        int | None, whole(1, 100_000, "of those, to B's that differ in their last three digits only", or_nothing=True)
    ] = 30
    asks_per_minute_source: Annotated[
        int | None, whole(1, 100_000, "of those, from one source address (IPv6: /64)", or_nothing=True)
    ] = 60
    concurrent_max: Annotated[int | None, whole(1, 100_000, "callbacks of it at a time", or_nothing=True)] = None
    concurrent_per_a: Annotated[int | None, whole(1, 100_000, "callbacks to one A at a time", or_nothing=True)] = 3
    concurrent_per_b: Annotated[int | None, whole(1, 100_000, "callbacks to one B at a time", or_nothing=True)] = 10
    concurrent_per_block: Annotated[
        int | None,
        whole(1, 100_000, "callbacks to B's that differ in their last three digits only, at a time", or_nothing=True),
    ] = 30
    concurrent_per_source: Annotated[
        int | None, whole(1, 100_000, "callbacks asked for from one source address at a time", or_nothing=True)
    ] = 30
    unusual_factor: Annotated[
        int | None,
        whole(
            2,
            1000,
            "an hour with so many times the calls or charges of a usual busiest hour is an alarm",
            or_nothing=True,
        ),
    ] = 5
    unusual_calls: Annotated[int, whole(2, 1_000_000, "calls an hour below which nothing is an alarm")] = 30
    unusual_charges: Annotated[
        int, amount("charges an hour below which nothing is an alarm, in the currency of the calls", most=CHARGES_MAX)
    ] = 50_000_000
    unusual_short_seconds: Annotated[
        int | None, whole(1, 600, "many answered calls no longer than this are an alarm", or_nothing=True)
    ] = 10
    unusual_night: Annotated[
        str,
        parsed(
            guard.read_quiet_hours,
            5,
            "two hours of the day, as in 0-6",
            "hours of its time zone in which premium numbers and new countries are an alarm",
        ),
    ] = "0-6"
    unusual_mail: Annotated[str, mail_address("who is told of these alarms; empty: every administrator")] = ""
    daily_spend_max: Annotated[
        int | None,
        amount(
            "its callbacks of a day, in its time zone, may cost at most so much, in each currency; what is set aside counts",
            most=FUNDS_MAX,
            or_nothing=True,
        ),
    ] = None
    daily_spend_max_a: Annotated[int | None, amount("the same of those to one A", most=FUNDS_MAX, or_nothing=True)] = (
        None
    )
    daily_spend_max_b: Annotated[
        int | None,
        amount(
            "the same of those to one B, both legs; to the second number of Simple there is no limit",
            most=FUNDS_MAX,
            or_nothing=True,
        ),
    ] = None
    daily_spend_max_block: Annotated[
        int | None,
        amount("the same of those to B's that differ in their last three digits only", most=FUNDS_MAX, or_nothing=True),
    ] = None
    daily_spend_max_source: Annotated[
        int | None,
        amount("the same of those asked for from one source address (IPv6: /64)", most=FUNDS_MAX, or_nothing=True),
    ] = None
    allowed_networks: Annotated[
        str,
        parsed(
            guard.read_networks,
            guard.NETWORKS_LENGTH_MAX,
            "networks, comma between, as in 192.0.2.0/24, 2001:db8::/32",
            "from where Simple and Hosted may be asked for; empty: anywhere",
        ),
    ] = ""
    needs_link: Annotated[
        bool, yes_no("Simple and Hosted are asked for only by who has opened a signed link (`webcb link`)")
    ] = False
    challenge_bits: Annotated[
        int | None,
        whole(
            8, 22, "zero bits of the sum that a browser does for Simple and Hosted, each doubling it", or_nothing=True
        ),
    ] = None
    prove_a: Annotated[
        str,
        choice(
            ("never", "without password", "always"),
            "for which callbacks who asks must prove to be at the phone of A, by a code that a call says there: none, Simple and"
            " Hosted, or all",
        ),
    ] = "never"
    code_paid_by: Annotated[
        str,
        choice(
            ("account", "internal account"),
            "who pays for the call that says the code; for that of Hosted always the internal account",
        ),
    ] = "account"
    proof_days: Annotated[
        int, whole(0, 3650, "days for which a number that an account has proven needs no code; 0: each callback a code")
    ] = 90
    brand_name: Annotated[str, text("name shown on its page; empty: its name", 64)] = ""
    logo_file: Annotated[
        str,
        pattern(
            r"([A-Za-z0-9][A-Za-z0-9_-]{0,57}\.(png|jpg|jpeg|webp|svg))?",
            "the name of a .png, .jpg, .webp or .svg file",
            "picture shown on its page, a file in `<data_dir>/logos/`; empty: the built-in one",
        ),
    ] = ""
    color: Annotated[
        str,
        parsed(
            brand.read_colour,
            7,
            "a colour, as in #0f766e",
            "of buttons and marks; white text on it must be readable (4.5 to 1); empty: the built-in one",
        ),
    ] = ""
    headline: Annotated[str, _texts("headline of its page")] = ""
    welcome: Annotated[str, _texts("what stands below the headline")] = ""
    foot_note: Annotated[str, _texts("what stands at the foot, as whom to ask for help")] = ""
    opening_hours: Annotated[
        str,
        parsed(
            parse_period,
            200,
            "a period, as in hr{9am-5pm} wd{mo-fr}",
            "when callbacks may be asked for; empty: at any time",
        ),
    ] = ""
    time_zone: Annotated[str, zone("of the opening hours")] = "UTC"
    widget_origins: Annotated[
        str,
        parsed(
            _read_origins,
            1000,
            "sites as a browser names them, comma between and no space, as in https://www.example.com",
            'sites that may have its "call me" button; empty: none',
        ),
    ] = ""
    widget_account: Annotated[
        str | None,
        reference(
            "accounts",
            "pays for Simple callbacks asked for by the button; nothing: who presses it says which",
            or_nothing=True,
        ),
    ] = None


class OwnNumber(Entry):
    """A number that leads back to us (a DID): a callback never calls it."""

    NOUN = "own number"
    KEY = ("digits",)
    digits: Annotated[
        str, pattern("[0-9]{1,15}", "up to 15 digits with country code", "the number, E.164 without +", numeric=True)
    ]
    description: Annotated[str, text("what it is for", 120)] = ""
