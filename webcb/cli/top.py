"""The live view in the terminal: keys, and how often it looks. What it shows is put together in watching.overview."""

import contextlib
import errno
import os
import re
import select
import sys
import termios
import tty
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from webcb.watching.overview import Overview, Section

EVERY_SECONDS = 1.0
MARGIN_LINES = 3  # title, heads, and the line below a section
QUIT, SORT = ("q", "Q"), ("s", "S")
KEYS_MAX = 64
_SEQUENCE = re.compile("\x1b(\\[[0-9;]*.?|O.?)?")  # of an arrow or a function key: none of ours


@click.command()
@click.option("--once", is_flag=True, help="Print it once, as plain text; so it does where the output is no terminal.")
@click.option(
    "--every",
    "seconds",
    type=click.FloatRange(0.2, 3600),
    default=EVERY_SECONDS,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option(
    "--sort",
    type=click.Choice(("age", "newest", "state", "cost", "left", "account")),
    default="age",
    show_default=True,
    help="How the calls are sorted at first.",
)
def top(once: bool, seconds: float, sort: str) -> None:
    """Show what goes on, live: nodes, queues, connections, refusals, calls.

    Of all nodes on the database. Of a call: its state, how long it has been, talks and may talk on, and what it would cost if it ended
    now; of connections what the last 15 minutes brought. The ends of numbers are hidden. Keys: s sorts the calls otherwise, q ends.
    """
    from webcb import clock, db
    from webcb.cli import desk
    from webcb.watching import overview

    with desk.opened():
        if once or not (sys.stdout.isatty() and sys.stdin.isatty()):
            click.echo(plain(overview.look(clock.utc_now()), sort))
            return
        try:
            _live(lambda: overview.look(clock.utc_now()), db.UNAVAILABLE, seconds, sort)
        except OSError as wrong:  # the window was closed, or the way to it broke: nobody looks any more
            if wrong.errno != errno.EIO:
                raise


def plain(seen: "Overview", sort: str) -> str:
    """All sections as text without colours; one that is empty says so."""
    from webcb.cli import printing

    told = [
        f"{each.title}\n{printing.table(each.heads, each.rows) if each.rows else '-'}" for each in seen.sections(sort)
    ]
    return "\n\n".join([f"{seen.at:%Y-%m-%d %H:%M:%S} UTC", *told])


def _live(look: Any, unavailable: tuple[type[Exception], ...], seconds: float, sort: str) -> None:
    """Look and show until somebody presses q. A database that is away is said, and asked again."""
    from rich.console import Console
    from rich.live import Live

    from webcb import clock
    from webcb.watching import overview

    console = Console()
    seen: Overview | None = None
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        look_at = 0.0
        trouble = ""
        while True:
            if clock.monotonic() >= look_at:
                try:
                    seen, trouble = look(), ""
                except unavailable as wrong:
                    trouble = f"the database is away: {str(wrong).strip().splitlines()[0]}"
                look_at = clock.monotonic() + seconds
            shown = [] if seen is None else _fitted(seen.sections(sort), console.size.height)
            live.update(_screen(seen, shown, trouble), refresh=True)
            for key in pressed(max(0.0, look_at - clock.monotonic())):
                if key in QUIT:
                    return
                if key in SORT:
                    sort = overview.next_sort(sort)


def _fitted(sections: "tuple[Section, ...]", height: int) -> "list[Section]":
    """What fits on the screen: the calls get the lines that the others leave."""
    from webcb.watching.overview import shortened

    filled = [each for each in sections if each.rows]
    others = sum(len(each.rows) + MARGIN_LINES for each in filled if not each.title.startswith("Calls"))
    room = max(3, height - 2 - MARGIN_LINES - others)
    return [shortened(each, room) if each.title.startswith("Calls") else each for each in filled]


def _screen(seen: "Overview | None", sections: "list[Section]", trouble: str) -> Any:
    from rich.console import Group
    from rich.text import Text

    at = f"{seen.at:%Y-%m-%d %H:%M:%S} UTC" if seen else ""
    head = Text(f"webcb  {at}   s sorts, q ends", style="bold")
    if trouble:
        head.append(f"   {trouble}", style="bold red")
    return Group(head, *[_table(each) for each in sections])


def _table(section: "Section") -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from webcb.cli.printing import cell

    table = Table(
        title=section.title,
        title_justify="left",
        title_style="bold cyan",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for head in section.heads:
        table.add_column(head, no_wrap=True)
    for number, row in enumerate(section.rows):
        # A name is text, whatever brackets are in it.
        table.add_row(*(Text(cell(value)) for value in row), style="bold red" if number in section.alarms else "")
    return table


@contextlib.contextmanager
def _keys() -> Iterator[Any]:
    """A function that waits so many seconds for keys; "" where none came. The terminal is given back as it was.

    OSError with EIO where there is no terminal any more.
    """
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(seconds: float) -> str:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        if not ready:
            return ""
        keys = os.read(descriptor, KEYS_MAX)
        if not keys:
            raise OSError(errno.EIO, "the terminal is gone")
        return _SEQUENCE.sub("", keys.decode(errors="replace"))

    tty.setcbreak(descriptor)
    try:
        yield pressed
    finally:
        with contextlib.suppress(termios.error):  # of a terminal that is gone
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


COMMANDS = (top,)
