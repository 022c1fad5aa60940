"""Entries of carriers: vendors, and the connections over which their switches are reached."""

from typing import Annotated

from webcb.provisioning.entry import Entry
from webcb.provisioning.fields import (
    choice,
    currency_code,
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

FILE, FILE_RIGHT = "(/.{1,999})?", "the full path of a file"
DOMAIN, DOMAIN_RIGHT = r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?", "a host name or address"
NAME, NAME_RIGHT = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", "a domain name, or an IPv4 address"
USER, USER_RIGHT = r"[0-9A-Za-z+*#._-]{0,64}", "up to 64 digits, letters or + * # . _ -"
IDENTITIES = ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID")
RULE_RIGHT = "a translation rule, as in s/^55/0/"


class Vendor(Entry):
    """A carrier that takes calls."""

    NOUN = "vendor"
    FIXED = frozenset({"currency"})
    name: Annotated[str, naming("its name")]
    currency: Annotated[str, currency_code("currency of its tariffs; fixed once")]
    billing_time_zone: Annotated[str, zone("zone in which its off-peak periods hold")] = "UTC"


class Connection(Entry):
    """Where and how a vendor's switch is reached, over SIP."""

    NOUN = "connection"
    COLUMNS = {"password": "sealed_password"}
    name: Annotated[str, naming("its name")]
    vendor: Annotated[str, reference("vendors", "whose it is")]
    tariff: Annotated[str, reference("tariffs", "the vendor's tariff: a number it has no rate for is not routed here")]
    host: Annotated[str, pattern(DOMAIN, DOMAIN_RIGHT, "of the switch")]
    port: Annotated[
        int | None, whole(1, 65_535, "its SIP port; nothing: as SRV says, else 5060, 5061 for tls", or_nothing=True)
    ] = None
    transport: Annotated[
        str,
        choice(
            ("auto", "udp", "tcp", "tls"),
            "`auto`: as NAPTR and SRV say; `tls`: the switch must show a certificate for `host`; long requests leave `udp` for TCP",
        ),
    ] = "udp"
    tls_ca_file: Annotated[
        str,
        pattern(
            FILE, FILE_RIGHT, "PEM file of the authorities that may have signed its certificate; empty: the system's"
        ),
    ] = ""
    tls_certificate_file: Annotated[
        str, pattern(FILE, FILE_RIGHT, "PEM file of our certificate, for the switch that asks for one")
    ] = ""
    tls_key_file: Annotated[
        str, pattern(FILE, FILE_RIGHT, "PEM file of its private key; empty: the key is in the certificate's file")
    ] = ""
    username: Annotated[str, text("for the switch that asks for a digest", 128)] = ""
    password: Annotated[str | None, text("kept sealed; not written: stays as it is", 128, least=1, secret=True)] = None
    codecs: Annotated[
        str,
        several(("PCMU", "PCMA", "G722", "opus"), "offered, in order of preference; Opus only where both legs have it"),
    ] = "PCMU,PCMA"
    srtp: Annotated[
        str,
        choice(
            ("none", "optional", "required"),
            "encrypted voice; its keys go through SIP, so have `tls`; optional: plain where the switch answers so",
        ),
    ] = "none"
    tech_prefix: Annotated[
        str,
        pattern(
            "[0-9A-Za-z*#]{0,16}", "up to 16 digits, letters, * or #", "put before every dialled number", numeric=True
        ),
    ] = ""
    number_format: Annotated[
        str, choice(("digits", "plus"), "how numbers are written there: `15551234567` or `+15551234567`")
    ] = "digits"
    cld_rule: Annotated[
        str, parsed(parse_rule, RULE_LENGTH_MAX, RULE_RIGHT, "what becomes of dialled numbers, before the tech prefix")
    ] = ""
    cli_rule: Annotated[
        str, parsed(parse_rule, RULE_LENGTH_MAX, RULE_RIGHT, "what becomes of calling numbers; nothing left: anonymous")
    ] = ""
    cli_withheld: Annotated[bool, yes_no("true: the called party is shown nobody (`Privacy: id`)")] = False
    from_user: Annotated[str, pattern(USER, USER_RIGHT, "user in From; empty: the calling number", numeric=True)] = ""
    from_name: Annotated[str, text("name shown with the calling number", 64)] = ""
    from_domain: Annotated[
        str, pattern(f"({NAME})?", NAME_RIGHT, "domain in From; empty: the registrar's, or our own address")
    ] = ""
    identity_headers: Annotated[
        str, several(IDENTITIES, "headers that say who calls, beside From; empty: none", or_none=True)
    ] = ""
    identity_user: Annotated[
        str,
        pattern(
            USER, USER_RIGHT, "user in those headers, a number of yours there; empty: the calling number", numeric=True
        ),
    ] = ""
    diversion_user: Annotated[
        str,
        pattern(
            USER,
            USER_RIGHT,
            "a number of yours for `Diversion`; empty: no such header",
            numeric=True,
        ),
    ] = ""
    capacity: Annotated[int | None, whole(1, 100_000, "calls at a time; nothing: no limit", or_nothing=True)] = None
    calls_per_second: Annotated[
        int | None, whole(1, 1000, "calls started a second, the others wait; nothing: no limit", or_nothing=True)
    ] = None
    active: Annotated[bool, yes_no("false: no calls go there")] = True
    probe_seconds: Annotated[
        int | None,
        whole(5, 3600, "OPTIONS is sent this often; who does not answer gets no calls; nothing: none", or_nothing=True),
    ] = None
    must_register: Annotated[bool, yes_no("true: we register there; while that fails, it gets no calls")] = False
    registrar: Annotated[
        str, pattern(f"({NAME})?", NAME_RIGHT, "domain we register at, through `host`; empty: `host`")
    ] = ""
    register_user: Annotated[str, pattern(USER, USER_RIGHT, "user we register as; empty: `username`", numeric=True)] = (
        ""
    )
    register_seconds: Annotated[
        int, whole(60, 86_400, "how long a registration is to hold; it is refreshed in time")
    ] = 3600
