"""Commands of the numbers that are not called any more: whose owner pressed 9, or asked for it."""

from typing import Any

import click

from webcb.cli.lists import csv_option, limit_option, print_list

HEADS = ("number", "asked")
_number = click.argument("number")


@click.group("never-call", invoke_without_command=True)
@limit_option(1000)
@csv_option
@click.pass_context
def never_call(ctx: click.Context, limit: int, as_csv: bool) -> None:
    """List the numbers that are never called, the latest first (--csv: to a file); `lift` calls one again, `add` adds one.

    They are those whose owner pressed 9 when asked to confirm a callback. Times are UTC.
    """
    if ctx.invoked_subcommand is not None:
        return
    from webcb.cli import desk
    from webcb.models import NeverCall

    with desk.opened():
        rows = NeverCall.select().order_by(NeverCall.asked_at.desc(), NeverCall.id.desc()).limit(limit)
        lines: list[tuple[Any, ...]] = [(row.number, row.asked_at) for row in rows]
    print_list(HEADS, lines, as_csv)


@never_call.command()
@_number
def lift(number: str) -> None:
    """Call NUMBER (with its country code) again."""
    click.echo(f"{_do('lift', number)} is called again")


@never_call.command()
@_number
def add(number: str) -> None:
    """Never call NUMBER (with its country code), as its owner asks."""
    click.echo(f"{_do('add', number)} is never called")


def _do(what: str, typed: str) -> str:
    from webcb import clock
    from webcb.billing import never
    from webcb.cli import desk

    with desk.opened():
        digits = desk.telephone(f"+{typed.removeprefix('+')}", "US", "NUMBER").digits
        try:
            (never.lift if what == "lift" else never.add)(digits, desk.who(), clock.utc_now())
        except never.NeverProblem as wrong:
            raise click.ClickException(str(wrong)) from None
    return digits


COMMANDS = (never_call,)
