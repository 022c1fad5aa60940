"""How one connection wants numbers written: the one that is called, and who calls. Pure; the headers are sip.caller's."""

from webcb.billing.routing import RouteChoice
from webcb.sip.caller import ANONYMOUS_HOST, Caller, user_part
from webcb.translation import parse_rule, translate


def dialled(route: RouteChoice, cld: str) -> str:
    """The user part of the Request-URI for E.164 digits: in the connection's format, through its rule, its prefix before it.

    ValueError: what the rule makes of it can be called nowhere.
    """
    return user_part(route.tech_prefix + _written(route, cld, route.presentation.cld_rule))


def calling(route: RouteChoice, cli: str, own_host: str) -> Caller:
    """The caller as the connection is to be told of him: `cli` E.164 digits, or "" where nobody is known.

    `own_host` is what stands for us in a URI. ValueError: what the rule makes of `cli` is no user part.
    """
    shown = route.presentation
    written = _written(route, cli, shown.cli_rule) if cli else ""
    number = user_part(written) if written else ""
    return Caller(
        user=shown.from_user or number,
        domain=route.home_domain or own_host,
        name=shown.from_name,
        identity=shown.identity_user or number,
        headers=shown.identity_headers,
        withheld=shown.cli_withheld,
        is_verified=bool(shown.identity_user),
        diverting=shown.diversion_user,
        anonymous_domain=route.home_domain or ANONYMOUS_HOST,
    )


def _written(route: RouteChoice, digits: str, rule: str) -> str:
    """The number in the connection's format, then through its rule: what the operator wrote there has the last word."""
    plus = "+" if route.presentation.number_format == "plus" else ""
    return translate(parse_rule(rule), plus + digits)
