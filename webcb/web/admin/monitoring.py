"""Monitoring: lists of callbacks, their xDRs and attempts."""

from typing import Any

from flask import url_for
from peewee import JOIN

from webcb.billing.authorization import Reason
from webcb.models import (
    Account,
    Attempt,
    Callback,
    Connection,
    Customer,
    Leg,
    RefusalCount,
    VoiceApplication,
    Xdr,
)
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Between, Choice, Column, Listing
from webcb.web.admin.screen import screen

AREA = "monitoring"
STATES = ("requested", "calling A", "A answered", "calling B", "talking", "releasing", "ended")

LegA, LegB = Leg.alias(), Leg.alias()


def _callbacks() -> Any:
    return (
        # None of these is ever missing: the joins are outer ones so that the list is gone through in its own order.
        Callback.select(Callback, Account, VoiceApplication, LegA, LegB)
        .join(Account, JOIN.LEFT_OUTER)
        .switch(Callback)
        .join(VoiceApplication, JOIN.LEFT_OUTER)
        .switch(Callback)
        .join(LegA, JOIN.LEFT_OUTER, on=((LegA.callback == Callback.id) & (LegA.name == "A")), attr="leg_a")
        .switch(Callback)
        .join(LegB, JOIN.LEFT_OUTER, on=((LegB.callback == Callback.id) & (LegB.name == "B")), attr="leg_b")
    )


def _in_state(value: str) -> Any:
    """Callbacks in a state; those that go on are few, and have an index of their own."""
    going_on = Callback.alias()
    if value == "ended":
        return Callback.state == value
    open_ones = going_on.select(going_on.id).where(going_on.state != "ended", going_on.state == value)
    return Callback.id.in_(open_ones)


_BY_ACCOUNT = Contains(Account.login, from_start=True, by=Callback.account)

CALLBACK_COLUMNS = (
    Column(
        "requested_at",
        "Requested",
        lambda row: row.requested_at,
        "instant",
        order=Callback.requested_at,
        filter=Between(Callback.requested_at),
        link=lambda row: url_for("admin.explain", callback_id=row.id),
    ),
    Column("account", "Account", lambda row: row.account.login, filter=_BY_ACCOUNT),
    Column("number_a", "A", lambda row: row.leg_a.cld, "telephone", filter=Contains(LegA.cld, from_start=True)),
    Column("number_b", "B", lambda row: row.leg_b.cld, "telephone", filter=Contains(LegB.cld, from_start=True)),
    Column("application", "Voice application", lambda row: row.voice_application.name, shown=False),
    Column("talking_at", "Talking since", lambda row: row.talking_at, "instant"),
    Column("deadline_at", "Until", lambda row: row.deadline_at, "instant", shown=False),
    Column("state", "State", lambda row: row.state, "state", filter=Choice(STATES, _in_state)),
    Column(
        "ending",
        "Ending",
        lambda row: row.ending,
        filter=Contains(Callback.ending, is_of_few=True, then=Callback.requested_at),
    ),
)
_SEARCH = (
    _BY_ACCOUNT,
    Contains(LegA.cld, from_start=True),
    Contains(LegB.cld, from_start=True),
    Contains(Callback.id, from_start=True),
)

screen(
    "callbacks",
    AREA,
    Listing(
        "callbacks",
        "Callbacks",
        _callbacks,
        Callback.id,
        CALLBACK_COLUMNS,
        "requested_at",
        descending=True,
        search=_SEARCH,
        empty="There was no callback yet.",
    ),
)


_XDR_BY_ACCOUNT = Contains(Account.login, from_start=True, by=Xdr.account, then=Xdr.bill_time)
_BY_CONNECTION = Contains(Connection.name, by=Attempt.connection, then=Attempt.placed_at)


def _of_kind(value: str) -> Any:
    """Charges or refunds; refunds, which are few, by their own index."""
    refund = Xdr.alias()
    refunds = refund.select(refund.id).where(refund.refund_of.is_null(False))
    return Xdr.id.in_(refunds) if value == "refund" else Xdr.kind == "charge"


screen(
    "xdrs",
    AREA,
    Listing(
        "xdrs",
        "xDRs",
        lambda: (
            Xdr.select(Xdr, Account, Customer)
            .join(Account, JOIN.LEFT_OUTER)
            .switch(Xdr)
            .join(Customer, JOIN.LEFT_OUTER)
        ),
        Xdr.id,
        (
            Column(
                "bill_time",
                "Billed",
                lambda row: row.bill_time,
                "instant",
                order=Xdr.bill_time,
                filter=Between(Xdr.bill_time),
            ),
            Column(
                "callback",
                "Callback",
                lambda row: row.__data__["callback"],
                link=lambda row: url_for("admin.explain", callback_id=row.__data__["callback"]),
            ),
            Column("leg", "Leg", lambda row: row.leg, filter=Choice(("A", "B"), lambda value: Xdr.leg == value)),
            Column(
                "kind",
                "Kind",
                lambda row: row.kind,
                filter=Choice(("charge", "refund"), _of_kind),
            ),
            Column("account", "Account", lambda row: row.account.login, filter=_XDR_BY_ACCOUNT),
            Column(
                "customer",
                "Customer",
                lambda row: row.customer.name,
                shown=False,
                filter=Contains(Customer.name, by=Xdr.customer, then=Xdr.bill_time),
            ),
            Column("cli", "CLI", lambda row: row.cli, "telephone", shown=False),
            Column("cld", "CLD", lambda row: row.cld, "telephone", filter=Contains(Xdr.cld, from_start=True)),
            Column("destination", "Destination", lambda row: row.destination),
            Column("connect_time", "Connected", lambda row: row.connect_time, "instant", shown=False),
            Column("used", "Used", lambda row: row.used_quantity, "duration"),
            Column("charged", "Charged", lambda row: row.charged_quantity, "duration"),
            Column("amount", "Amount", lambda row: row.charged_micros, "amount", needs="money"),
            Column("currency", "Currency", lambda row: row.currency, needs="money"),
            Column("tariff", "Tariff", lambda row: row.tariff, shown=False, needs="money"),
            Column("cause", "Cause", lambda row: row.disconnect_cause, "number"),
            Column("one_way", "One-way audio", lambda row: row.one_way, "yes", shown=False),
            Column("setup_ms", "PDD, ms", lambda row: row.setup_ms, "number", shown=False),
        ),
        "bill_time",
        descending=True,
        search=(
            _XDR_BY_ACCOUNT,
            Contains(Xdr.cld, from_start=True),
            Contains(Xdr.callback, from_start=True),
        ),
        empty="Nothing was billed yet.",
    ),
)

screen(
    "attempts",
    AREA,
    Listing(
        "attempts",
        "Attempts",
        lambda: (
            Attempt.select(Attempt, Leg, Connection)
            .join(Leg, JOIN.LEFT_OUTER)
            .switch(Attempt)
            .join(Connection, JOIN.LEFT_OUTER)
        ),
        Attempt.id,
        (
            Column(
                "placed_at",
                "Placed",
                lambda row: row.placed_at,
                "instant",
                order=Attempt.placed_at,
                filter=Between(Attempt.placed_at),
                link=lambda row: url_for("admin.explain", callback_id=row.leg.__data__["callback"]),
            ),
            Column("leg", "Leg", lambda row: row.leg.name),
            Column("cld", "CLD", lambda row: row.leg.cld, "telephone", filter=Contains(Leg.cld, from_start=True)),
            Column("connection", "Connection", lambda row: row.connection.name, filter=_BY_CONNECTION),
            Column(
                "address",
                "Address",
                lambda row: row.address,
                filter=Contains(Attempt.address, is_of_few=True, then=Attempt.placed_at),
            ),
            Column("status", "SIP status", lambda row: row.status, "number"),
            Column("reason", "Reason", lambda row: row.reason),
            Column("setup_ms", "PDD, ms", lambda row: row.setup_ms, "number"),
        ),
        "placed_at",
        descending=True,
        search=(Contains(Leg.cld, from_start=True), _BY_CONNECTION),
        empty="No call was placed yet.",
    ),
)


screen(
    "refusals",
    AREA,
    Listing(
        "refusals",
        "Refusals",
        lambda: RefusalCount.select(RefusalCount, VoiceApplication).join(VoiceApplication, JOIN.LEFT_OUTER),
        RefusalCount.id,
        (
            Column(
                "hour",
                "Hour",
                lambda row: row.hour_at,
                "instant",
                order=RefusalCount.hour_at,
                filter=Between(RefusalCount.hour_at),
            ),
            Column(
                "reason",
                "Reason",
                lambda row: row.reason,
                order=RefusalCount.reason,
                filter=Choice([str(each) for each in Reason], lambda value: RefusalCount.reason == value),
            ),
            Column(
                "application",
                "Voice application",
                lambda row: row.voice_application.name if row.voice_application else "",
            ),
            Column("refusals", "Times", lambda row: row.refusals, "number", order=RefusalCount.refusals),
        ),
        "hour",
        descending=True,
        search=(Contains(RefusalCount.reason), Contains(VoiceApplication.name, by=RefusalCount.voice_application)),
        empty="Nothing was refused yet. What is refused to callers is counted here by the hour, with the reason.",
    ),
)
