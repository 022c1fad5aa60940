"""Sales: customers, accounts, batches, distributors."""

from typing import Any

from flask import url_for
from peewee import JOIN, Case, fn

from webcb import clock
from webcb.billing.account import Account as AccountValue
from webcb.billing.account import state_shown
from webcb.models import Account, Batch, Customer, Distributor, Job, Product, Wallet
from webcb.web.admin import signing
from webcb.web.admin.editor import Editor, Given, Item, Panel
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Between, Choice, Column, Listing
from webcb.web.admin.permission import may
from webcb.web.admin.screen import screen

AREA = "sales"
AVAILABLE = Wallet.balance_micros + Wallet.credit_limit_micros - Wallet.locked_micros


def _tabs(row: Any, noun: str) -> list[tuple[str, str]]:
    """The pages of a customer or an account; money only for who may see it."""
    user: Any = signing.current()
    if row is None:
        return []
    name = getattr(row, "login", None) or row.name
    tabs = [("General info", url_for(f"admin.{noun}s_edit", row_id=row.id))]
    if noun == "customer":
        tabs.append(("Accounts", url_for("admin.accounts", customer=name)))
    if may(user.role, "sales.change") and may(user.role, "money"):
        tabs.append(("Funds", url_for(f"admin.{noun}_funds", **{f"{noun}_id": row.id})))
    if may(user.role, "money"):
        tabs.append(("Statement", url_for(f"admin.{noun}_statement", **{f"{noun}_id": row.id})))
    if may(user.role, "monitoring.see"):
        tabs.append(("xDRs", url_for("admin.xdrs", **{noun: name})))
    return tabs


screen(
    "customers",
    AREA,
    Listing(
        "customers",
        "Customers",
        lambda: Customer.select(Customer, Wallet).join(Wallet),
        Customer.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=Customer.name,
                link=lambda row: url_for("admin.customers_edit", row_id=row.id),
            ),
            Column("balance_control", "Balance control", lambda row: row.balance_control.capitalize()),
            Column("currency", "Currency", lambda row: row.wallet.currency, order=Wallet.currency),
            Column(
                "balance",
                "Balance",
                lambda row: row.wallet.balance_micros,
                "amount",
                order=Wallet.balance_micros,
                needs="money",
            ),
            Column("limit", "Credit limit", lambda row: row.wallet.credit_limit_micros, "amount", needs="money"),
            Column("period", "Billing period", lambda row: row.billing_period.capitalize(), shown=False),
            Column(
                "accounts",
                "Accounts",
                lambda row: row.accounts.count(),
                "number",
                link=lambda row: url_for("admin.accounts", customer=row.name),
            ),
            Column(
                "status",
                "Status",
                lambda row: row.status,
                "state",
                order=Customer.status,
                filter=Choice(("active", "blocked", "closed"), lambda value: Customer.status == value),
            ),
        ),
        "name",
        search=(Contains(Customer.name),),
        empty="There is no customer yet. A customer owns accounts.",
    ),
    Editor(
        "customers",
        "customers",
        "Customer",
        AREA,
        (
            Panel(
                "General info",
                (
                    Item("name", "Name", "A short name, used on these pages."),
                    Item("status", "Status", "Only an active customer's accounts can call."),
                ),
            ),
            Panel(
                "Finance",
                (
                    Item("balance_control", "Balance control", "Prepaid: only what was paid in can be spent."),
                    Item("currency", "Currency", "It cannot be changed later."),
                    Item("credit_limit", "Credit limit", "How far a postpaid customer may owe.", needs="money"),
                    Item(
                        "opening_balance",
                        "Opening balance",
                        "Posted once, when the customer is created.",
                        needs="money",
                    ),
                    Item("low_balance", "Low balance", "Falling below it is told by mail, once.", needs="money"),
                    Given("Business model", "Universal", "What type of service the customer is provided with."),
                    Given("Customer class", "Default", "Nothing is collected by itself: funds are paid in by hand."),
                    Item("mail", "E-mail", "Low funds are told there, and a forgotten self-care password."),
                    Item("web_login", "Self-care login", "With which it sees all its accounts; empty: none."),
                    Item("web_password", "Self-care password", "Empty: it stays as it is."),
                    Item("billing_period", "Billing period", "How often its statement is made up."),
                    Item("billing_time_zone", "Billing period time zone", "Off-peak periods hold by its clocks, too."),
                ),
            ),
        ),
    ),
    Customer,
    context=lambda row: {"tabs": _tabs(row, "customer")},
)


def account_state(row: Any) -> str:
    """The state of an account as pages show it."""
    return str(state_shown(AccountValue.of(row), _available(row), clock.utc_now()))


def _available(row: Any) -> int:
    wallet = row.wallet
    return int(wallet.balance_micros + wallet.credit_limit_micros - wallet.locked_micros)


STATES: dict[str, Any] = {
    "blocked": Account.blocked,
    "closed": Account.closed,
    "inactive": ~Account.activated,
    "no funds": AVAILABLE <= 0,
    "usable": ~Account.blocked & ~Account.closed & Account.activated & (AVAILABLE > 0),
}

screen(
    "accounts",
    AREA,
    Listing(
        "accounts",
        "Accounts",
        lambda: (
            Account.select(Account, Customer, Product, Wallet, Batch)
            .join(Customer)
            .switch(Account)
            .join(Product)
            .switch(Account)
            .join(Wallet)
            .switch(Account)
            .join(Batch, JOIN.LEFT_OUTER)
        ),
        Account.id,
        (
            Column(
                "login",
                "Account ID",
                lambda row: row.login,
                order=Account.login,
                filter=Contains(Account.login, from_start=True),
                link=lambda row: url_for("admin.accounts_edit", row_id=row.id),
            ),
            Column(
                "customer",
                "Customer",
                lambda row: row.customer.name,
                filter=Contains(Customer.name, by=Account.customer),
            ),
            Column(
                "product", "Product", lambda row: row.product.name, filter=Contains(Product.name, by=Account.product)
            ),
            Column(
                "batch",
                "Batch",
                lambda row: row.batch.name if row.batch else "",
                filter=Contains(Batch.name, by=Account.batch),
            ),
            Column(
                "control_number",
                "Control number",
                lambda row: row.control_number and f"{row.control_number:010d}",
                shown=False,
            ),
            Column("type", "Type", lambda row: row.type.capitalize()),
            Column("available", "Available", _available, "amount", needs="money"),
            Column("currency", "Currency", lambda row: row.wallet.currency, needs="money"),
            Column(
                "last_used_at",
                "Last used",
                lambda row: row.last_used_at,
                "instant",
                filter=Between(Account.last_used_at),
            ),
            Column(
                "expires_at",
                "Expires",
                lambda row: row.expires_at,
                "instant",
                shown=False,
                filter=Between(Account.expires_at),
            ),
            Column("state", "State", account_state, "state", filter=Choice(tuple(STATES), lambda value: STATES[value])),
        ),
        "login",
        search=(Contains(Account.login, from_start=True), Contains(Customer.name, by=Account.customer)),
        empty="There are no accounts yet. Create one, or generate a batch.",
        actions=(("Account generator", "admin.account_generator", "sales.change"),),
    ),
    Editor(
        "accounts",
        "accounts",
        "Account",
        AREA,
        (
            Panel(
                "General info",
                (
                    Item(
                        "login", "ID", "1 to 64 letters and digits; cb before the digits keeps callback accounts apart."
                    ),
                    Item("customer", "Customer", "It cannot be changed later."),
                    Given("Account role", "Universal", "The defined usage for the account."),
                    Item("product", "Product", "The services it may use and their prices, in the customer's currency."),
                    Item("activation_at", "Activation date", "Not usable before; empty: from now on."),
                    Item(
                        "service_password",
                        "Service password",
                        "Empty: it stays as it is; without one nobody can log in.",
                    ),
                    Item("distributor", "Distributor", "Who sold it."),
                    Item("blocked", "Blocked", "May not call; calls in progress end."),
                ),
            ),
            Panel(
                "Finance",
                (
                    Item("type", "Type", "Debit: funds fall to 0. Credit: debt rises to the limit."),
                    Item(
                        "balance_control",
                        "Balance control",
                        "Subordinate: the customer's funds are used. It cannot be changed later.",
                    ),
                    Item("credit_limit", "Credit limit", "Of an individual credit account.", needs="money"),
                    Item(
                        "opening_balance", "Opening balance", "Posted once, when the account is created.", needs="money"
                    ),
                    Item(
                        "daily_spend_max",
                        "Spend a day at most",
                        "Calls are cut where it is reached; empty: no limit.",
                        needs="money",
                    ),
                    Item("low_balance", "Low balance", "Falling below it is told by mail, once.", needs="money"),
                ),
            ),
            Panel(
                "Life cycle",
                (
                    Item("activated", "Activated", "Off: it cannot be used until somebody activates the card."),
                    Item("expires_at", "Expiration date", "Not usable from then on."),
                    Item("days_after_first_use", "Availability period after first usage, days", "Empty: no such end."),
                    Item(
                        "days_after_last_use",
                        "Availability period after last usage, days",
                        "Or after the last recharge. The earliest end holds.",
                    ),
                    Item("closed", "Closed", "May never call again."),
                ),
            ),
            Panel(
                "Self-care",
                (
                    Item("time_zone", "Time zone", "In which its owner sees times, and in which its days begin."),
                    Item("language", "Web interface language", "In which its owner reads self-care."),
                    Item(
                        "mail", "E-mail", "Of low funds the customer is told where it is empty; a password only here."
                    ),
                    Item("web_login", "Self-care login", "Empty: the owner cannot log in."),
                    Item("web_password", "Self-care password", "Empty: it stays as it is."),
                    Item("e_commerce", "E-Commerce enabled", "Its owner may top it up through the payment provider."),
                    Item("trusted_numbers", "Trusted numbers", "Who calls from one of them is not asked for a PIN."),
                ),
            ),
        ),
    ),
    Account,
    context=lambda row: {"tabs": _tabs(row, "account")},
)


def _batches() -> Any:
    def counted(condition: Any) -> Any:
        return fn.COALESCE(fn.SUM(Case(None, [(condition, 1)], 0)), 0)

    return (
        Batch.select(
            Batch,
            Customer,
            fn.COUNT(Account.id).alias("accounts"),
            counted(Account.activated == False).alias("inactive"),  # noqa: E712 - SQL
            counted(Account.blocked == True).alias("blocked"),  # noqa: E712 - SQL
        )
        .join(Customer)
        .switch(Batch)
        .join(Account, JOIN.LEFT_OUTER, on=Account.batch == Batch.id)
        .group_by(Batch.id, Customer.id)
    )


screen(
    "batches",
    AREA,
    Listing(
        "batches",
        "Batches",
        _batches,
        Batch.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=Batch.name,
                link=lambda row: url_for("admin.batch", batch_id=row.id),
            ),
            Column("customer", "Customer", lambda row: row.customer.name, order=Customer.name),
            Column("accounts", "Accounts", lambda row: row.accounts, "number"),
            Column("inactive", "Inactive", lambda row: row.inactive, "number"),
            Column("blocked", "Blocked", lambda row: row.blocked, "number"),
            Column("created_at", "Created", lambda row: row.created_at, "instant", order=Batch.created_at),
        ),
        "created_at",
        descending=True,
        search=(Contains(Batch.name),),
        empty="There are no batches yet: generated accounts stand in batches.",
    ),
)

screen(
    "distributors",
    AREA,
    Listing(
        "distributors",
        "Distributors",
        Distributor.select,
        Distributor.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=Distributor.name,
                link=lambda row: url_for("admin.distributors_edit", row_id=row.id),
            ),
        ),
        "name",
        search=(Contains(Distributor.name),),
        empty="There is no distributor yet: one who sells cards for you. Batches and accounts may name one.",
    ),
    Editor(
        "distributors",
        "distributors",
        "Distributor",
        AREA,
        (Panel("General info", (Item("name", "Name", "Who sells cards, as in Kiosk Central."),)),),
    ),
    Distributor,
)

screen(
    "jobs",
    AREA,
    Listing(
        "jobs",
        "Background work",
        Job.select,
        Job.id,
        (
            Column(
                "id",
                "Job",
                lambda row: row.id,
                "number",
                order=Job.id,
                link=lambda row: url_for("admin.job", job_id=row.id),
            ),
            Column("kind", "Kind", lambda row: row.kind),
            Column("state", "State", lambda row: row.state, "state", order=Job.state),
            Column("done", "Done", lambda row: f"{row.done:,} of {row.total:,}"),
            Column("asked_by", "Asked by", lambda row: row.asked_by),
            Column("asked_at", "Asked", lambda row: row.asked_at, "instant", order=Job.asked_at),
            Column("ended_at", "Ended", lambda row: row.ended_at, "instant"),
            Column("said", "Result", lambda row: row.said),
        ),
        "id",
        descending=True,
        search=(Contains(Job.kind), Contains(Job.asked_by)),
        empty="No work was asked for yet. What takes long, as making many accounts, is done in the background and shown here.",
    ),
)
