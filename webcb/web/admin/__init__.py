"""The admin site: what operators see and do. One blueprint; its screens stand in the files beside this one, by the menu's groups."""

from typing import Any

from flask import Blueprint, Flask

from webcb.money import format_amount
from webcb.web.admin import (
    active,
    aids,
    alarms,
    catalog,
    checklist,
    dashboard,
    explain,
    funds,
    generator,
    infrastructure,
    logos,
    monitoring,
    never,
    nodes,
    number_test,
    programs,
    prompts,
    quick_search,
    rate_sheets,
    rates,
    routing,
    sales,
    scores,
    sessions,
    setup,
    sign_in,
    statistics,
    unusual,
    voice_applications,
    vouchers,
    wizard,
)
from webcb.web.admin import listing as lists
from webcb.web.admin.menu import menu_of
from webcb.web.admin.permission import may
from webcb.web.admin.screen import blueprint
from webcb.web.admin.signing import current
from webcb.web.forms import PressForm

SCREENS = (
    active,
    aids,
    alarms,
    catalog,
    checklist,
    dashboard,
    explain,
    funds,
    generator,
    infrastructure,
    logos,
    monitoring,
    never,
    nodes,
    number_test,
    programs,
    prompts,
    quick_search,
    rate_sheets,
    rates,
    routing,
    sales,
    scores,
    sessions,
    setup,
    statistics,
    unusual,
    voice_applications,
    vouchers,
    wizard,
)
BLUEPRINTS: tuple[Blueprint, ...] = (sign_in.blueprint, blueprint)


def _context() -> dict[str, Any]:
    """What every template of the site knows of who looks."""
    user: Any = current()
    if user is None:
        return {"user": None, "menu": []}
    return {
        "user": user,
        "menu": menu_of(user.role),
        "may": lambda permission: may(user.role, permission),
        "number": lambda digits: lists.telephone(digits, user),
        "amount": lambda micros: "—" if micros is None else format_amount(micros),
        "precise": lambda at: lists.precise(at, user),
        "sign_out_form": PressForm(formdata=None),  # also on the page that says that what was sent is too long
    }


for _each in BLUEPRINTS:
    _each.context_processor(_context)


def init_app(app: Flask) -> None:
    """Register the admin site."""
    for each in BLUEPRINTS:
        app.register_blueprint(each)
