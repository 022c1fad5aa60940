"""The command that says why a callback cost what it cost."""

import json
from collections.abc import Iterator
from typing import Any

import click


@click.command()
@click.argument("callback_id", metavar="ID")
def bill(callback_id: str) -> None:
    """Say why a callback cost what it cost: rate, intervals, fees, rounding, and what its vendors charged.

    `webcb callbacks` shows the IDs.
    """
    from webcb.cli import desk
    from webcb.models import Callback, Xdr

    with desk.opened():
        callback = Callback.get_or_none(Callback.id == callback_id)
        xdrs = list(Xdr.select().where(Xdr.callback == callback_id).order_by(Xdr.leg, Xdr.id))
    if callback is None:
        raise click.ClickException(f"there is no callback {callback_id!r}")
    if not xdrs:
        why = "nobody was called" if callback.state == "ended" else f"it goes on ({callback.state})"
        raise click.ClickException(f"callback {callback_id} has no bill: {why}")
    click.echo("\n".join(line for xdr in xdrs for line in _lines(xdr)))


def _lines(xdr: Any) -> Iterator[str]:
    from webcb.billing.explanation import cost_in_words, in_words
    from webcb.money import format_amount

    amount = f"{format_amount(xdr.charged_micros)} {xdr.currency}"
    explanation = json.loads(xdr.explanation)
    if xdr.kind == "refund":
        yield f"{xdr.leg}  given back {amount.removeprefix('-')}{': ' * bool(explanation['why'])}{explanation['why']}"
        return
    yield f"{xdr.leg}  {xdr.cld}  {amount}  (tariff {xdr.tariff}, prefix {xdr.destination}, {xdr.access_code or 'any code'})"
    for line in in_words(explanation):
        yield f"   {line}"
    if "vendor" in explanation:
        yield f"   the vendor charges {cost_in_words(xdr)}"
        for line in in_words(explanation["vendor"]):
            yield f"      {line}"


COMMANDS = (bill,)
