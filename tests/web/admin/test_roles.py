"""Every route of the admin site, who may enter it, and that a stranger learns nothing and a forged post does nothing."""

import pytest
from flask import Flask, url_for

from tests.web.admin.conftest import Operator, signed_in
from tests.web.admin.pictures import PAGES
from webcb.web.admin.menu import MENU
from webcb.web.admin.permission import PERMISSIONS, ROLES, may

# Endpoint -> the permission it asks for; "" is any operator, None anybody.
SCREENS = {
    "infrastructure": ("voice_applications", "own_numbers", "nodes", "vendors", "connections", "routes"),
    "catalog": ("destinations", "off_peak_periods", "tariffs", "rates", "products", "usage_charges"),
    "setup": ("currencies", "companies"),
    "sales": ("customers", "accounts", "distributors"),
}
PERMISSION = {
    "sign_in.page": None,
    "sign_in.enter": None,
    "sign_in.code_page": None,
    "sign_in.code": None,
    "sign_in.leave": "",
    "sign_in.me": "",
    "sign_in.set_password": "",
    "sign_in.set_second_factor": "",
    "sign_in.remove_second_factor": "",
    "sign_in.end_one": "",
    "admin.dashboard": "",
    "admin.search": "",
    "admin.keep_filter": "",
    "admin.try_period": "catalog.see",
    "admin.try_rate": "catalog.see",
    "admin.rate_plot": "catalog.see",
    "admin.try_rule": "infrastructure.see",
    "admin.routing": "infrastructure.see",
    "admin.prompts": "infrastructure.see",
    "admin.prompt": "infrastructure.see",
    "admin.prompt_sound": "infrastructure.see",
    "admin.picture": "infrastructure.see",
    "admin.vouchers": "sales.see",
    "admin.voucher_new": "sales.change",
    "admin.alarms": "monitoring.see",
    "admin.unusual": "monitoring.see",
    "admin.unusual_pattern": "monitoring.see",
    "admin.wizard": "setup.change",
    "admin.drain": "infrastructure.change",
    "admin.wizard_step": "setup.change",
    "admin.batches": "sales.see",
    "admin.jobs": "sales.see",
    "admin.active_calls": "monitoring.see",
    "admin.callbacks": "monitoring.see",
    "admin.xdrs": "monitoring.see",
    "admin.attempts": "monitoring.see",
    "admin.refusals": "monitoring.see",
    "admin.never_called": "monitoring.see",
    "admin.never_called_change": "monitoring.change",
    "admin.explain": "monitoring.see",
    "admin.packets": "numbers",
    "admin.scores_chart": "monitoring.see",
    "admin.scores_file": "monitoring.see",
    "admin.disconnect": "monitoring.change",
    "admin.block_and_disconnect": "monitoring.change",
    "admin.refund": "sales.change",
    "admin.account_funds": "sales.change",
    "admin.customer_funds": "sales.change",
    "admin.account_statement": "money",
    "admin.customer_statement": "money",
    "admin.account_generator": "sales.change",
    "admin.batch": "sales.change",
    "admin.job": "sales.see",
    "admin.job_file": "sales.change",
    "admin.rate_sheet": "catalog.change",
    "admin.rate_sheet_download": "catalog.see",
    "admin.rate_sheet_template": "catalog.see",
    "admin.checklist": "setup.see",
    "admin.test_callback": "setup.change",
    "admin.statistics": "monitoring.see",
    "admin.statistics_chart": "monitoring.see",
    "admin.test_number": "monitoring.see",
    "admin.price_calculator": "money",
    "admin.users": "setup.see",
    "admin.sessions": "setup.see",
    "admin.user_session": "setup.change",
    "admin.user_new": "setup.change",
    "admin.user": "setup.change",
    "admin.api_keys": "setup.see",
    "admin.api_key_new": "setup.change",
    "admin.api_key": "setup.see",
    "admin.webhooks": "setup.see",
    "admin.webhook": "setup.see",
    "admin.audit": "setup.see",
    "admin.settings": "setup.see",
} | {
    f"admin.{name}{part}": f"{area}.{'change' if part == '_new' else 'see'}"
    for area, names in SCREENS.items()
    for name in names
    for part in ("", "_new", "_edit")
}


def admin_rules(app: Flask) -> list:
    return [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")]


def address(rule: object) -> str:
    """An address of the rule; there is a row 1 of everything that is asked for."""
    values = {name: "x" * 20 if name == "callback_id" else 1 for name in rule.arguments}  # type: ignore[attr-defined]
    return rule.build(values, append_unknown=False)[1]  # type: ignore[attr-defined, no-any-return]


def test_every_route_asks_for_its_permission(app: Flask) -> None:
    asked = {rule.endpoint: getattr(app.view_functions[rule.endpoint], "guard", None) for rule in admin_rules(app)}
    expected = {
        endpoint: "public" if permission is None else f"operator: {permission or 'any'}"
        for endpoint, permission in PERMISSION.items()
    }
    assert asked == expected


def test_a_stranger_is_asked_to_sign_in_everywhere(app: Flask) -> None:
    client = app.test_client()
    for rule in admin_rules(app):
        if PERMISSION[rule.endpoint] is None:
            continue
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            answer = client.open(address(rule), method=method)
            assert answer.status_code in (403, 400), (rule.rule, method)  # 400: the token is looked for first
            assert "Card holders" not in answer.text


@pytest.mark.parametrize("role", ROLES)
def test_a_role_enters_what_it_may_and_nothing_else(users: Flask, role: str) -> None:
    operator = signed_in(users, role)
    for rule in admin_rules(users):
        permission = PERMISSION[rule.endpoint]
        if permission is None or "GET" not in rule.methods:
            continue
        status = operator.client.get(address(rule)).status_code
        assert (status in (200, 302, 404)) if may(role, permission) else (status == 403), (rule.rule, status)


@pytest.mark.parametrize("role", ["read only", "support"])
def test_who_may_only_see_changes_nothing(users: Flask, role: str) -> None:
    operator = signed_in(users, role)
    for rule in admin_rules(users):
        if "POST" in rule.methods and rule.endpoint.endswith(("_edit", "_new")):
            row = operator.client.get(address(rule)).status_code
            operator.post(address(rule), status=404 if row == 404 else 403, step="remove", name="changed")


def test_no_post_without_our_token(users: Flask) -> None:
    operator = signed_in(users, "administrator")
    for rule in admin_rules(users):
        if "POST" in rule.methods:
            answer = operator.client.post(address(rule), data={"step": "remove"})
            assert answer.status_code == 400, rule.rule


def test_support_sees_no_money(support: Operator, admin: Operator) -> None:
    assert "Available" in admin.get("/admin/accounts")
    for page in ("/admin/accounts", "/admin/xdrs", "/admin/customers", "/admin/accounts/1", "/admin/"):
        seen = support.get(page)
        for word in ("Available", "5.00", "Credit limit", "Balance", "Amount", "Revenue"):
            assert f">{word}<" not in seen, (page, word)
    assert "Available" not in support.get("/admin/accounts?export=csv")
    assert "5.00" not in support.get("/admin/accounts?column=available&sort=available&export=csv")


def test_the_menu_shows_what_can_be_entered(users: Flask) -> None:
    for role in ROLES:
        page = signed_in(users, role).get("/admin/")
        for group in MENU:
            for entry in group.entries:
                assert (f">{entry.label}</a>" in page) == may(role, entry.permission), (role, entry.label)


def test_every_permission_is_somebodys() -> None:
    assert PERMISSIONS["administrator"] >= set().union(*PERMISSIONS.values())


def test_every_page_of_the_menu_is_looked_at_in_a_browser(app: Flask) -> None:
    """The pictures of the pages, which test_in_browser goes through, leave none out."""
    with app.test_request_context():
        addresses = {url_for(f"admin.{entry.endpoint}") for group in MENU for entry in group.entries}
    assert addresses <= {f"/admin/{page.partition('?')[0]}" for page in PAGES.values()}
