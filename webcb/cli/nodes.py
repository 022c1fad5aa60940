"""Commands of nodes: how they stand, and taking one out of service without a call being cut off."""

import threading
from typing import Any

import click

from webcb.cli.lists import csv_option, print_list

HEADS = ("name", "state", "callbacks", "started", "heard")
LOOK_SECONDS = 0.5


@click.command()
@csv_option
def nodes(as_csv: bool) -> None:
    """List the nodes: whether an engine runs on each, what is in progress there."""
    from webcb.cli import desk

    with desk.opened():
        lines: list[tuple[Any, ...]] = [
            (name, state, callbacks, row.started_at, row.heard_at) for row, name, state, callbacks in stand()
        ]
    print_list(HEADS, lines, as_csv)


@click.command()
@click.argument("node", required=False)
@click.option("--wait", is_flag=True, help="Return only when nothing is in progress there any more.")
@click.option("--undo", is_flag=True, help="Let it take new callbacks again.")
def drain(node: str | None, wait: bool, undo: bool) -> None:
    """Let a node finish its callbacks and take no new ones.

    NODE is its name, by default this host's own. Other nodes on the same database take what is requested; without one requests
    wait, and expire within a minute. The node stays so, over restarts of its engine, until --undo.
    """
    from webcb import clock, db
    from webcb import settings as reader
    from webcb.cli import desk
    from webcb.models import Audit, Node

    name = node or reader.load(make_missing=False).node_name
    with desk.opened():
        with db.writing():
            changed = Node.update(draining=not undo).where(Node.name == name).execute()
            if not changed:
                raise click.ClickException(f"there is no node {name!r}; `webcb nodes` lists them")
            action = "takes callbacks again" if undo else "drained"
            Audit.create(at=clock.utc_now(), made_by=desk.who(), action=f"node {action}", subject=f"node {name}")
        if undo:
            click.echo(f"node {name} takes new callbacks again")
            return
        left = _in_progress(name)
        click.echo(f"node {name} takes no new callbacks; in progress: {left}")
        if not any(other != name and state == "up" for _, other, state, _ in stand()):
            click.echo("no other node is up: what is requested now waits, and expires within a minute", err=True)
        pause = threading.Event()
        while wait and left:
            pause.wait(LOOK_SECONDS)
            left = _in_progress(name)
        if wait:
            click.echo(f"node {name} is drained")


def stand() -> list[tuple[Any, str, str, int]]:
    """The nodes by name: row, name, state, callbacks in progress."""
    from webcb import clock
    from webcb.fleet import node_state
    from webcb.models import Node

    at = clock.utc_now()
    found = [(row, _in_progress(row.name)) for row in Node.select().order_by(Node.name)]
    return [(row, row.name, node_state(row.heard_at, row.draining, count, at), count) for row, count in found]


def _in_progress(name: str) -> int:
    from webcb.models import Callback, Node

    open_ones = (Callback.state != "requested") & (Callback.state != "ended")
    return int(Callback.select().join(Node).where(Node.name == name, open_ones).count())


COMMANDS = (nodes, drain)
