"""Screens: a list and the form of what is in it, under one address of the menu."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort

from webcb.models import Callback, Table
from webcb.web.admin import editor as editing
from webcb.web.admin import listing as lists
from webcb.web.admin.editor import Editor
from webcb.web.admin.listing import Listing
from webcb.web.admin.signing import guarded

blueprint = Blueprint("admin", __name__, url_prefix="/admin")

# Every form and every list of the site, for who wants to know what is on them: a list by its address, one of parts by that of
# what they are parts of.
EDITORS: list[Editor] = []
LISTINGS: dict[str, Callable[[int], Listing]] = {}

Context = Callable[[Any], dict[str, Any]]


def screen(
    address: str,
    area: str,
    listing: Listing,
    editor: Editor | None = None,
    table: type[Table] | None = None,
    context: Context = lambda _: {},
    template: str = "admin/list.html",
    beside: dict[str, Any] | None = None,
) -> None:
    """Register the list at /admin/<address>, and where there is an editor, /new and /<id> below it.

    `context` is what the form's page knows beside its row, `beside` what the list's own template shows.
    """
    endpoint = listing.name.replace("-", "_")
    LISTINGS[address] = lambda _: listing

    @blueprint.get(f"/{address}", endpoint=endpoint)
    @guarded(f"{area}.see")
    def shown() -> Any:
        return lists.show(listing, template, editor=editor, area=area, **(beside or {}))

    if editor is None or table is None:
        return
    EDITORS.append(editor)
    editing.TITLES[editor.endpoint] = listing.title

    @blueprint.route(f"/{address}/new", methods=["GET", "POST"], endpoint=f"{endpoint}_new")
    @guarded(f"{area}.change")
    def new() -> Any:
        return editing.edit(editor, None, **context(None))

    @blueprint.route(f"/{address}/<int:row_id>", methods=["GET", "POST"], endpoint=f"{endpoint}_edit")
    @guarded(f"{area}.see")
    def edit(row_id: int) -> Any:
        row = found(table, row_id)
        return editing.edit(editor, row, **context(row))


def parts(
    address: str, area: str, of: type[Table], listing_of: Callable[[Any], Listing], editor: Editor, table: type[Table]
) -> None:
    """Register the list of what is a part of something, at /admin/<address>/<id of it>/<name>, and its forms."""
    endpoint = editor.endpoint
    base = f"/{address}/<int:parent_id>/{endpoint.replace('_', '-')}"
    EDITORS.append(editor)
    editing.TITLES[endpoint] = f"{editor.title}s"
    LISTINGS[f"{address}/{{parent_id}}/{endpoint.replace('_', '-')}"] = lambda parent_id: listing_of(
        found(of, parent_id)
    )
    link = next(name for name, field in table._meta.fields.items() if getattr(field, "rel_model", None) is of)

    @blueprint.get(base, endpoint=endpoint)
    @guarded(f"{area}.see")
    def shown(parent_id: int) -> Any:
        parent = found(of, parent_id)
        return lists.show(listing_of(parent), "admin/list.html", editor=editor, area=area, parent=parent)

    @blueprint.route(f"{base}/new", methods=["GET", "POST"], endpoint=f"{endpoint}_new")
    @guarded(f"{area}.change")
    def new(parent_id: int) -> Any:
        return editing.edit(editor, None, found(of, parent_id))

    @blueprint.route(f"{base}/<int:row_id>", methods=["GET", "POST"], endpoint=f"{endpoint}_edit")
    @guarded(f"{area}.see")
    def edit(parent_id: int, row_id: int) -> Any:
        row = found(table, row_id)
        if row.__data__[link] != parent_id:
            abort(404)
        return editing.edit(editor, row, found(of, parent_id))


def found(table: Any, row_id: int) -> Any:
    """The row of an id; 404 where there is none."""
    row = table.get_or_none(table.id == row_id) if row_id < 2**63 else None
    if row is None:
        abort(404)
    return row


def found_callback(callback_id: str) -> Any:
    """The callback of an id; 404 where there is none."""
    row = Callback.get_or_none(Callback.id == callback_id) if callback_id.isalnum() else None
    if row is None:
        abort(404)
    return row
