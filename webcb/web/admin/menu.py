"""The menu, in the handbook's order: what stands in it, and what of it a role sees. Pure."""

from dataclasses import dataclass
from typing import Final

from webcb.web.admin.permission import may


@dataclass(frozen=True)
class Entry:
    """A line of the menu; `endpoint` without the blueprint's name."""

    label: str
    endpoint: str
    permission: str
    under: str = ""  # a heading within the group


@dataclass(frozen=True)
class Group:
    """Lines under a heading."""

    label: str
    entries: tuple[Entry, ...]


VOICE_CALLS: Final = "Voice calls processing"

MENU: Final = (
    Group("", (Entry("Dashboard", "dashboard", ""),)),
    Group(
        "Infrastructure",
        (
            Entry("Voice applications", "voice_applications", "infrastructure.see", VOICE_CALLS),
            Entry("Own numbers", "own_numbers", "infrastructure.see", VOICE_CALLS),
            Entry("Nodes", "nodes", "infrastructure.see", VOICE_CALLS),
            Entry("Vendors", "vendors", "infrastructure.see"),
            Entry("Connections", "connections", "infrastructure.see"),
            Entry("Routing", "routing", "infrastructure.see"),
            Entry("Prompts", "prompts", "infrastructure.see"),
        ),
    ),
    Group(
        "Service catalog",
        (
            Entry("Destinations", "destinations", "catalog.see"),
            Entry("Off-peak periods", "off_peak_periods", "catalog.see"),
            Entry("Tariffs", "tariffs", "catalog.see"),
            Entry("Products", "products", "catalog.see"),
        ),
    ),
    Group(
        "Sales",
        (
            Entry("Customers", "customers", "sales.see"),
            Entry("Accounts", "accounts", "sales.see"),
            Entry("Account generator", "account_generator", "sales.change"),
            Entry("Batches", "batches", "sales.see"),
            Entry("Vouchers", "vouchers", "sales.see"),
            Entry("Distributors", "distributors", "sales.see"),
            Entry("Background work", "jobs", "sales.see"),
        ),
    ),
    Group(
        "Monitoring",
        (
            Entry("Active calls", "active_calls", "monitoring.see"),
            Entry("Callbacks", "callbacks", "monitoring.see"),
            Entry("xDRs", "xdrs", "monitoring.see"),
            Entry("Attempts", "attempts", "monitoring.see"),
            Entry("Statistics", "statistics", "monitoring.see"),
            Entry("Test number", "test_number", "monitoring.see"),
            Entry("Price calculator", "price_calculator", "money"),
            Entry("Refusals", "refusals", "monitoring.see"),
            Entry("Never called", "never_called", "monitoring.see"),
            Entry("Alarms", "alarms", "monitoring.see"),
            Entry("Unusual patterns", "unusual", "monitoring.see"),
        ),
    ),
    Group(
        "Setup",
        (
            Entry("Set-up checklist", "checklist", "setup.see"),
            Entry("Company", "companies", "setup.see"),
            Entry("Currencies", "currencies", "setup.see"),
            Entry("Users and roles", "users", "setup.see"),
            Entry("API keys", "api_keys", "setup.see"),
            Entry("Webhooks", "webhooks", "setup.see"),
            Entry("Audit log", "audit", "setup.see"),
            Entry("Settings", "settings", "setup.see"),
        ),
    ),
)


def menu_of(role: str) -> list[Group]:
    """The groups of the menu that a role sees something of."""
    groups = [
        Group(group.label, tuple(entry for entry in group.entries if may(role, entry.permission))) for group in MENU
    ]
    return [group for group in groups if group.entries]
