"""Commands of webhooks: what became of the messages by which programs are told of calls, and sending dead ones again."""

from typing import Any

import click

from webcb.cli.lists import csv_option, limit_option, print_list

ID_MAX = 1 << 62
HEADS = ("id", "at", "key", "to", "call", "state", "message", "tries", "answer", "next_try")


@click.group(invoke_without_command=True)
@click.option("--dead", is_flag=True, help="Only those that were given up.")
@limit_option(100)
@csv_option
@click.pass_context
def webhooks(ctx: click.Context, dead: bool, limit: int, as_csv: bool) -> None:
    """List the messages to programs, the latest first; `again` sends dead ones again."""
    if ctx.invoked_subcommand is not None:
        return
    from webcb.cli import desk
    from webcb.models import ApiKey, Sink, SinkEvent

    rows = SinkEvent.select(SinkEvent, Sink, ApiKey).join(Sink).join(ApiKey).order_by(SinkEvent.id.desc()).limit(limit)
    if dead:
        rows = rows.where(SinkEvent.dead_at.is_null(False))
    with desk.opened():
        lines: list[tuple[Any, ...]] = [
            (
                row.id,
                row.at,
                row.sink.api_key.name,
                row.sink.url.partition("?")[0],
                row.sink.__data__["callback"],
                row.state,
                "dead" if row.dead_at else "delivered" if row.delivered_at else "due",
                row.tries,
                row.said,
                row.due_at,
            )
            for row in rows
        ]
    print_list(HEADS, lines, as_csv)


@webhooks.command()
@click.argument("ids", nargs=-1, type=click.IntRange(1), metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All that are dead.")
def again(ids: tuple[int, ...], everything: bool) -> None:
    """Send messages again that were given up, from the first try on."""
    from webcb import clock, doorbell, sinks
    from webcb.cli import desk
    from webcb.models import Audit, SinkEvent

    if bool(ids) == everything:
        raise click.UsageError("write ids, or --all")
    at = clock.utc_now()
    with desk.opened() as settings:
        which = SinkEvent.id > 0 if everything else SinkEvent.id.in_([min(each, ID_MAX) for each in ids])
        revived = sinks.revive(which, at)
        if revived:
            Audit.create(at=at, made_by=desk.who(), action="webhooks sent again", subject=f"{revived} webhooks")
        doorbell.ring(settings.clerk_bell)
    click.echo(f"{revived} sent again")


COMMANDS = (webhooks,)
