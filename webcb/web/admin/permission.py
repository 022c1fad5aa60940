"""What each role may do: permissions by area. Pure; the guards of the views and the templates ask here.

An area is seen or changed. Beside the areas stand two sorts of things that not everybody who sees a page needs to see on it:
`money` (prices, charges, balances) and `numbers` (telephone numbers in full).
"""

from typing import Final

AREAS: Final = ("infrastructure", "catalog", "sales", "monitoring", "setup")

_SEES: Final = frozenset(f"{area}.see" for area in AREAS)
_CHANGES: Final = frozenset(f"{area}.change" for area in AREAS)
_THINGS: Final = frozenset({"money", "numbers"})

PERMISSIONS: Final[dict[str, frozenset[str]]] = {
    "administrator": _SEES | _CHANGES | _THINGS,
    "billing": frozenset({"catalog.see", "catalog.change", "sales.see", "sales.change", "monitoring.see"}) | _THINGS,
    # Helps callers: sees calls and accounts, blocks an account, ends a call; knows no prices and no balances.
    "support": frozenset({"sales.see", "monitoring.see", "monitoring.change", "numbers"}),
    "read only": (_SEES - {"setup.see"}) | {"money"},
}
_AREAS_SAID: Final = {
    "infrastructure": "infrastructure",
    "catalog": "the service catalog",
    "sales": "sales",
    "monitoring": "monitoring",
    "setup": "setup",
}
SAID: Final[dict[str, str]] = (
    {f"{area}.see": f"See {words}" for area, words in _AREAS_SAID.items()}
    | {f"{area}.change": f"Change {words}" for area, words in _AREAS_SAID.items()}
    | {"money": "See prices, charges and balances", "numbers": "See telephone numbers in full, and messages"}
)
ROLES: Final = tuple(PERMISSIONS)
ALL: Final = _SEES | _CHANGES | _THINGS


def may(role: str, permission: str) -> bool:
    """Whether a role has a permission; `""` is what everybody has who is signed in."""
    return permission == "" or permission in PERMISSIONS[role]
