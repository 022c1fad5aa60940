"""Infrastructure: nodes, vendors and their connections, own numbers."""

from typing import Any

from flask import url_for

from webcb import clock
from webcb.fleet import node_state
from webcb.models import Callback, Connection, Node, OwnNumber, Tariff, Vendor
from webcb.web.admin.editor import Editor, Item, Panel
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Choice, Column, Listing
from webcb.web.admin.screen import screen

AREA = "infrastructure"


def _in_progress(row: Any) -> int:
    return int(row.callback_set.where((Callback.state != "requested") & (Callback.state != "ended")).count())


def _state(row: Any) -> str:
    return node_state(row.heard_at, row.draining, _in_progress(row), clock.utc_now())


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
                (
                    Item("digits", "Number", "With country code, digits only."),
                    Item("description", "What for", "As in Helpdesk, Lisbon."),
                ),
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
                    Item("name", "Name", "As in Acme Telecom."),
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
            Column(
                "vendor",
                "Vendor",
                lambda row: row.vendor.name,
                order=Vendor.name,
                filter=Contains(Vendor.name, by=Connection.vendor),
            ),
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
        search=(Contains(Connection.name), Contains(Connection.host), Contains(Vendor.name, by=Connection.vendor)),
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
                    Item("name", "Name", "As in Acme Telecom, Frankfurt."),
                    Item("vendor", "Vendor", "Whose switch it is."),
                    Item("tariff", "Tariff", "The vendor's: a number it has no rate for is not routed here."),
                    Item("active", "Active", "Off: no calls go there."),
                ),
            ),
            Panel(
                "SIP",
                (
                    Item("host", "SIP address", "Host name or IP address of the switch."),
                    Item("port", "Port", "Empty: as its DNS says, else 5060, with TLS 5061."),
                    Item(
                        "transport",
                        "Transport",
                        "Automatic: as the switch's DNS says. TLS: it must show a certificate for its address.",
                        words={"auto": "Automatic (NAPTR, SRV)", "udp": "UDP", "tcp": "TCP", "tls": "TLS"},
                    ),
                    Item("username", "User name", "For the switch that asks for a log-in."),
                    Item("password", "Password", "Kept sealed; empty: it stays as it is."),
                    Item("tech_prefix", "Tech prefix", "Put before every dialled number."),
                    Item(
                        "srtp",
                        "SRTP",
                        "Encrypted voice. Its keys go through SIP: use TLS. Optional: plain where the switch answers so.",
                    ),
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
                    Item("from_name", "Name in From", "Shown with the calling number; empty: no name."),
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
