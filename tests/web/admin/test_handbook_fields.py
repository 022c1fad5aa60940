"""Every panel and field of the handbook is where it says, in its order and its words, with something to read below it.

The table is the handbook's, chapter "Setting up WEB callback services", walked from top to bottom.
"""

import re
from html import unescape

import pytest

from tests.web.admin.conftest import Operator
from webcb.web.admin.generator import PANELS
from webcb.web.admin.menu import MENU, VOICE_CALLS

# A page, and the panels with the fields of each.
HANDBOOK = {
    "voice-applications/1": {
        "General info": ["Name", "Application type"],
        "Entry point": ["Callback page web address"],
        "Authorization": ["The second number to connect"],
        "Accounting": ["Access code", "Internal account", "Special charge if LegB fails"],
        "Translation rules": ["Account ID translation rule"],
        "Prompts & notifications": ["Prompts folder"],
        "Application specific": ["Use account ID as ANI"],
    },
    "tariffs/new": {"General info": ["Name", "Currency", "Service", "Applied to", "Managed by"]},
    "tariffs/1/rates/new": {
        "Rate details": [
            "Destination",
            "Rating mode",
            "First interval, seconds",
            "Next interval, seconds",
            "First price",
            "Next price",
            "Off-peak first interval",
            "Off-peak next interval",
            "Off-peak first price",
            "Off-peak next price",
            "Rate formula",
            "Effective from",
        ]
    },
    "products/new": {
        "General info": [
            "Name",
            "Name visible to end users",
            "Product type",
            "Currency",
            "Managed by",
            "Account default ACL",
            "Account role",
        ],
        "Included services": ["Voice calls"],
    },
    "products/1/usage-charges/new": {
        "Usage charge": ["Service", "Node", "Access code", "Tariff", "Overdraft protection"]
    },
    "customers/new": {
        "General info": ["Name"],
        "Finance": [
            "Balance control",
            "Currency",
            "Credit limit",
            "Business model",
            "Customer class",
            "Billing period",
            "Billing period time zone",
        ],
    },
    "account-generator": {
        "Initial configuration": ["Account role", "Type", "Product", "Quantity", "Batch", "New batch name"],
        "Optional configuration": [
            "Opening balance",
            "Requires manual activation",
            "Generation method",
            "ID prefix",
            "ID length",
            "Service password",
            "Distributor",
        ],
        "Life cycle": [
            "Activation date",
            "Expiration date",
            "Availability period after first usage, days",
            "Availability period after last usage, days",
            "E-Commerce enabled",
        ],
        "Web self-care": ["Credentials", "Time zone", "Web interface language"],
    },
    "accounts/new": {
        "General info": ["ID", "Account role", "Product", "Activation date", "Service password"],
        "Finance": ["Type", "Balance control"],
    },
}


def fields_of(page: str) -> dict[str, dict[str, str]]:
    """Panel -> label -> the hint below it, in the order of the page."""
    found: dict[str, dict[str, str]] = {}
    for part in re.split(r'<fieldset class="sheet panel"[^>]*>', page)[1:]:
        title = re.search(r"<legend>([^<]*)</legend>", part)
        assert title is not None
        fields = found.setdefault(unescape(title[1]), {})
        for item in re.split(r'(?=<(?:div|fieldset) class="item)', part)[1:]:
            label = re.search(r'class="(?:form-label|form-check-label)"[^>]*>([^<]*)<', item)
            hint = re.search(r'class="form-text"[^>]*>([^<]*)<', item)
            if label is not None:
                fields[unescape(label[1]).strip()] = unescape(hint[1]).strip() if hint else ""
    return found


@pytest.mark.parametrize("address", HANDBOOK)
def test_the_fields_stand_where_the_handbook_says(admin: Operator, address: str) -> None:
    shown = fields_of(admin.get(f"/admin/{address}"))
    panels = HANDBOOK[address]
    assert [panel for panel in shown if panel in panels] == list(panels)
    for panel, labels in panels.items():
        assert [label for label in shown[panel] if label in labels] == labels, panel


@pytest.mark.parametrize("address", HANDBOOK)
def test_every_field_says_what_it_is_for(admin: Operator, address: str) -> None:
    for panel, fields in fields_of(admin.get(f"/admin/{address}")).items():
        without = [label for label, hint in fields.items() if not hint or hint == label]
        assert without in ([], ["Mail me the file"]), panel


def test_the_way_to_them_is_the_handbooks() -> None:
    ways = {(group.label, entry.under, entry.label) for group in MENU for entry in group.entries}
    assert ways >= {
        ("Infrastructure", VOICE_CALLS, "Voice applications"),
        ("Infrastructure", VOICE_CALLS, "Nodes"),
        ("Service catalog", "", "Destinations"),
        ("Service catalog", "", "Tariffs"),
        ("Service catalog", "", "Products"),
        ("Sales", "", "Customers"),
        ("Sales", "", "Accounts"),
        ("Sales", "", "Account generator"),
    }
    assert [title for title, _ in PANELS][:2] == ["Initial configuration", "Optional configuration"]
