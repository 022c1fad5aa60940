"""Infrastructure: voice applications, nodes, vendors and their connections."""

from typing import Any

from flask import url_for

from webcb import clock
from webcb.fleet import node_state
from webcb.models import Callback, Connection, Node, OwnNumber, Tariff, Vendor, VoiceApplication
from webcb.web.admin.editor import Editor, Given, Item, Panel
from webcb.web.admin.listing import Choice, Column, Contains, Listing
from webcb.web.admin.screen import screen

AREA = "infrastructure"


def _in_progress(row: Any) -> int:
    return int(row.callback_set.where(Callback.state.not_in(("requested", "ended"))).count())


def _state(row: Any) -> str:
    return node_state(row.heard_at, row.draining, _in_progress(row), clock.utc_now())


screen(
    "voice-applications",
    AREA,
    Listing(
        "voice-applications",
        "Voice applications",
        VoiceApplication.select,
        VoiceApplication.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=VoiceApplication.name,
                link=lambda row: url_for("admin.voice_applications_edit", row_id=row.id),
            ),
            Column("type", "Application type", lambda _: "Web callback trigger"),
            Column(
                "page",
                "Callback page",
                lambda row: "/" if row.path == "-" else f"/{row.path}",
                order=VoiceApplication.path,
                link=lambda row: url_for("trigger.page", path=row.path),
            ),
            Column("access_code", "Access code", lambda row: row.access_code),
            Column("active", "Active", lambda row: row.active, "yes"),
        ),
        "name",
        search=(Contains(VoiceApplication.name), Contains(VoiceApplication.path)),
        empty="There is no voice application yet. Create one: its page is where callbacks are asked for.",
    ),
    Editor(
        "voice_applications",
        "voice_applications",
        "Voice application",
        AREA,
        (
            Panel(
                "General info",
                (
                    Item("name", "Name", "As in Web callback."),
                    Given("Application type", "Web callback trigger", "A page where people ask to be called."),
                    Item("active", "Active", "Off: its page says that the service is closed."),
                ),
            ),
            Panel(
                "Entry point",
                (
                    Item(
                        "path",
                        "Callback page web address",
                        "The last part of the address you give to your users; a single - is the front page.",
                    ),
                    Item("default_country", "Default country", "Whose dialling habits typed numbers follow."),
                    Item(
                        "kinds",
                        "Kinds of callback",
                        "Simple and Hosted ask for no password: limit who can reach them.",
                        ticked=("simple", "extended", "hosted"),
                    ),
                ),
            ),
            Panel(
                "Authorization",
                (
                    Item(
                        "second_number",
                        "The second number to connect",
                        "Whom a Simple callback is connected with, such as your helpdesk.",
                    ),
                    Item("confirm_by_key", "Confirm by key", "A presses 1 first: a voicemail is never connected."),
                ),
            ),
            Panel(
                "Accounting",
                (
                    Item(
                        "access_code",
                        "Access code",
                        "By which usage charges are looked for; the default is WEBCALLBACK.",
                    ),
                    Item(
                        "internal_account",
                        "Internal account",
                        "Pays for the legs of a Hosted callback until somebody has logged in.",
                    ),
                    Item(
                        "special_charge_if_leg_b_fails",
                        "Special charge if LegB fails",
                        "Leg A is charged by the usage charge CALLBACK_FAIL where B cannot be reached.",
                    ),
                ),
            ),
            Panel(
                "Translation rules",
                (
                    Item(
                        "account_id_rule",
                        "Account ID translation rule",
                        "Makes an account ID of the calling number, as in s/^/cb/.",
                        aid="rule",
                    ),
                ),
            ),
            Panel(
                "Prompts & notifications",
                (
                    Item(
                        "prompts_folder",
                        "Prompts folder",
                        "Its recordings replace the built-in prompts of their names.",
                    ),
                    Item("languages", "Languages", "The first one is spoken; key 3 goes on to the next."),
                ),
            ),
            Panel(
                "Application specific",
                (
                    Item(
                        "use_account_id_as_ani",
                        "Use account ID as ANI",
                        "The digits of the account ID are shown as the calling number.",
                    ),
                    Item("cli", "Calling number shown to A", "Empty: the number of B."),
                    Item("ring_seconds_a", "A rings at most, seconds"),
                    Item("ring_seconds_b", "B rings at most, seconds"),
                ),
            ),
            Panel(
                "Limits",
                (
                    Item("talk_seconds_max", "Longest talk, seconds", "Whatever the funds."),
                    Item("concurrent_per_account", "Callbacks of one account at a time"),
                    Item("concurrent_per_a", "Callbacks to one A at a time", "Empty: no limit, here and below."),
                    Item("concurrent_per_source", "Callbacks from one source address at a time"),
                    Item("concurrent_max", "Callbacks at a time"),
                    Item("asks_per_minute", "Asks a minute"),
                    Item("asks_per_minute_account", "Asks a minute of one account"),
                    Item("asks_per_minute_a", "Asks a minute to one A"),
                    Item(
                        "asks_per_minute_block",
                        "Asks a minute to one block of numbers",
                        "Numbers of B that differ in their last three digits only.",
                    ),
                    Item("asks_per_minute_source", "Asks a minute from one source address", "Of IPv6: from one /64."),
                ),
            ),
            Panel(
                "Destinations",
                (
                    Item(
                        "premium_allowed",
                        "Premium, shared-cost, personal, satellite numbers",
                        "May be called. Emergency numbers never are.",
                    ),
                    Item("allowed_prefixes", "Allowed prefixes", "With country code, comma between; empty: all."),
                    Item(
                        "barred_prefixes",
                        "Barred prefixes",
                        "Of an allowed and a barred one that both match, the longer holds.",
                    ),
                    Item("quiet_hours", "Quiet hours", "As in 22-7, where A is; A is not rung then."),
                ),
            ),
            Panel(
                "Who may ask",
                (
                    Item(
                        "allowed_networks", "Allowed networks", "Of Simple and Hosted, comma between; empty: anywhere."
                    ),
                    Item("needs_link", "Signed link", "Simple and Hosted only by a link that `webcb link` made."),
                    Item("challenge_bits", "Challenge, bits", "A sum for the browser; 16 takes a moment."),
                ),
            ),
            Panel(
                "Look of the page",
                (
                    Item("brand_name", "Name shown", "Empty: the name above."),
                    Item(
                        "logo_file",
                        "Picture",
                        "A .png, .jpg, .webp or .svg file in the folder logos of the data folder.",
                    ),
                    Item("color", "Colour", "Of buttons and marks, as in #0f766e; it must be dark enough to be read."),
                    Item("headline", "Headline", "For readers of other languages: Talk to us. [pt] Fale conosco."),
                    Item("welcome", "Text below the headline", "Languages as above."),
                    Item("foot_note", "Text at the foot", "As whom to ask for help; languages as above."),
                ),
            ),
            Panel(
                "Button on your own site",
                (
                    Item(
                        "widget_origins",
                        "Sites",
                        "As in https://www.example.com, comma between. There, put one line into a page: "
                        '<script src="https://…/widget/PATH.js" defer></script>',
                    ),
                    Item(
                        "widget_account",
                        "Account that pays",
                        "For Simple: visitors type their number alone. Give it a limit of what it may spend in a day.",
                    ),
                ),
            ),
            Panel(
                "Opening hours",
                (
                    Item(
                        "opening_hours",
                        "Opening hours",
                        "As in hr{9am-5pm} wd{mo-fr}; empty: always open. Outside of them nobody is called.",
                    ),
                    Item("time_zone", "Their time zone"),
                ),
            ),
        ),
        fill=lambda: {"path": "" if VoiceApplication.select().exists() else "-"},
    ),
    VoiceApplication,
)

screen(
    "own-numbers",
    AREA,
    Listing(
        "own-numbers",
        "Own numbers",
        OwnNumber.select,
        OwnNumber.id,
        (
            Column(
                "digits",
                "Number",
                lambda row: f"+{row.digits}",
                order=OwnNumber.digits,
                link=lambda row: url_for("admin.own_numbers_edit", row_id=row.id),
            ),
            Column("description", "What for", lambda row: row.description),
        ),
        "digits",
        search=(Contains(OwnNumber.digits, from_start=True), Contains(OwnNumber.description)),
        empty="Write here the numbers that lead back to this service: a callback never calls one.",
    ),
    Editor(
        "own_numbers",
        "own_numbers",
        "Own number",
        AREA,
        (
            Panel(
                "General info",
                (Item("digits", "Number", "With country code, digits only."), Item("description", "What for")),
            ),
        ),
    ),
    OwnNumber,
)

screen(
    "nodes",
    AREA,
    Listing(
        "nodes",
        "Nodes",
        Node.select,
        Node.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=Node.name,
                link=lambda row: url_for("admin.nodes_edit", row_id=row.id),
            ),
            Column("state", "State", _state, "state"),
            Column("callbacks", "Callbacks in progress", _in_progress, "number"),
            Column("started_at", "Started", lambda row: row.started_at, "instant"),
            Column("heard_at", "Last heard from", lambda row: row.heard_at, "instant"),
            Column(
                "drain",
                "Drain",
                lambda row: "Undrain …" if row.draining else "Drain …",
                link=lambda row: url_for("admin.drain", node_id=row.id),
                needs="infrastructure.change",
            ),
        ),
        "name",
        search=(Contains(Node.name),),
        empty="No engine has started yet.",
    ),
    Editor(
        "nodes",
        "nodes",
        "Node",
        AREA,
        (Panel("General info", (Item("name", "Name", "As in the setting node_name."),)),),
    ),
    Node,
)


screen(
    "vendors",
    AREA,
    Listing(
        "vendors",
        "Vendors",
        Vendor.select,
        Vendor.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=Vendor.name,
                link=lambda row: url_for("admin.vendors_edit", row_id=row.id),
            ),
            Column("currency", "Currency", lambda row: row.currency, order=Vendor.currency),
            Column("zone", "Time zone", lambda row: row.billing_time_zone),
            Column(
                "connections",
                "Connections",
                lambda row: row.connections.count(),
                "number",
                link=lambda row: url_for("admin.connections", vendor=row.name),
            ),
        ),
        "name",
        search=(Contains(Vendor.name),),
        empty="There is no vendor yet: the carrier that takes your calls.",
    ),
    Editor(
        "vendors",
        "vendors",
        "Vendor",
        AREA,
        (
            Panel(
                "General info",
                (
                    Item("name", "Name"),
                    Item("currency", "Currency", "Of its tariffs; it cannot be changed later."),
                    Item("billing_time_zone", "Time zone", "In which its off-peak periods hold."),
                ),
            ),
        ),
    ),
    Vendor,
)

screen(
    "connections",
    AREA,
    Listing(
        "connections",
        "Connections",
        lambda: Connection.select(Connection, Vendor, Tariff).join(Vendor).switch(Connection).join(Tariff),
        Connection.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=Connection.name,
                link=lambda row: url_for("admin.connections_edit", row_id=row.id),
            ),
            Column("vendor", "Vendor", lambda row: row.vendor.name, order=Vendor.name, filter=Contains(Vendor.name)),
            Column(
                "host",
                "SIP address",
                lambda row: f"{row.host}:{row.port}" if row.port else row.host,
                order=Connection.host,
            ),
            Column("transport", "Transport", lambda row: (row.transport or "auto").upper()),
            Column("capacity", "Capacity", lambda row: row.capacity, "number"),
            Column("tariff", "Tariff", lambda row: row.tariff.name),
            Column("active", "Active", lambda row: row.active, "yes"),
            Column(
                "state",
                "State",
                lambda row: row.state,
                "state",
                order=Connection.state,
                filter=Choice(("unknown", "up", "down"), lambda value: Connection.state == value),
            ),
            Column("state_reason", "Reason", lambda row: row.state_reason),
        ),
        "name",
        search=(Contains(Connection.name), Contains(Connection.host), Contains(Vendor.name)),
        empty="There is no connection yet: where and how a vendor's switch is reached.",
    ),
    Editor(
        "connections",
        "connections",
        "Connection",
        AREA,
        (
            Panel(
                "General info",
                (
                    Item("name", "Name"),
                    Item("vendor", "Vendor"),
                    Item("tariff", "Tariff", "The vendor's: a number it has no rate for is not routed here."),
                    Item("active", "Active"),
                ),
            ),
            Panel(
                "SIP",
                (
                    Item("host", "SIP address", "Host name or IP address of the switch."),
                    Item("port", "Port"),
                    Item(
                        "transport",
                        "Transport",
                        "Automatic: as the switch's DNS says. TLS: it must show a certificate for its address.",
                        words={"auto": "Automatic (NAPTR, SRV)", "udp": "UDP", "tcp": "TCP", "tls": "TLS"},
                    ),
                    Item("username", "User name", "For the switch that asks for a log-in."),
                    Item("password", "Password", "Kept sealed; empty: it stays as it is."),
                    Item("tech_prefix", "Tech prefix", "Put before every dialled number."),
                    Item("srtp", "SRTP"),
                    Item("codecs", "Codecs", "Offered in this order, comma between."),
                    Item("probe_seconds", "Probe every, seconds", "OPTIONS is sent this often; empty: not at all."),
                ),
            ),
            Panel(
                "TLS",
                (
                    Item(
                        "tls_ca_file",
                        "Authorities",
                        "PEM file on the server; empty: the system's.",
                        "transport",
                        ("auto", "tls"),
                    ),
                    Item("tls_certificate_file", "Our certificate", "", "transport", ("auto", "tls")),
                    Item("tls_key_file", "Its key", "", "transport", ("auto", "tls")),
                ),
            ),
            Panel(
                "Registration",
                (
                    Item("must_register", "Register there", "While that fails, the connection gets no calls."),
                    Item("registrar", "Registrar", "Its domain; empty: the SIP address.", "must_register", ("y",)),
                    Item("register_user", "User", "Empty: the user name above.", "must_register", ("y",)),
                    Item("register_seconds", "Hold for, seconds", "", "must_register", ("y",)),
                ),
            ),
            Panel(
                "Numbers and identity",
                (
                    Item("number_format", "Numbers are written with"),
                    Item(
                        "cld_rule",
                        "CLD translation rule",
                        "Perl substitutions, as in s/^00/+/; before the tech prefix.",
                        aid="rule",
                    ),
                    Item(
                        "cli_rule",
                        "CLI translation rule",
                        "The same for calling numbers; nothing left: anonymous.",
                        aid="rule",
                    ),
                    Item("cli_withheld", "Withhold the calling number", "The called party is shown nobody."),
                    Item("from_user", "User in From", "Empty: the calling number."),
                    Item("from_name", "Name in From"),
                    Item("from_domain", "Domain in From", "Empty: the registrar's, or our own address."),
                    Item("identity_headers", "Identity headers", "That say who calls, beside From; comma between."),
                    Item("identity_user", "User in those headers", "Empty: the calling number."),
                    Item("diversion_user", "Number for Diversion", "Empty: no such header."),
                ),
            ),
            Panel(
                "Capacity",
                (
                    Item("capacity", "Capacity", "Calls at a time; empty: no limit."),
                    Item("calls_per_second", "Calls per second", "Started; the others wait their turn."),
                ),
            ),
        ),
    ),
    Connection,
)
