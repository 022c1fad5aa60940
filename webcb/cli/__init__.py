"""The command `webcb`: its group, and how anything that goes wrong is said: one clear line, never a traceback for a mistake.

The commands stand in the files beside this one and import what they need when they run, so that `webcb --help` is quick.
Exit status: 0 done, 1 failed or refused, 2 wrong usage or settings, 130 interrupted.
"""

import re
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import NoReturn

import click

from webcb import __version__
from webcb.cli import installation

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130

PANELS = (  # after `installation`
    "nodes",
    "keeping",
    "archives",
    "prompts",
    "provisioning",
    "checkup",
    "top",
    "calls",
    "trace",
    "bill",
    "lists",
    "rate_sheets",
    "funds",
    "trusted",
    "never",
    "vouchers",
    "webhooks",
    "links",
    "statements",
    "batches",
    "keys",
    "users",
    "persons",
)


class InOrder(click.Group):
    """Commands in the order in which a newcomer meets them; the engine, for which calls may wait, does not wait for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        self.read_in()
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:
            self.read_in()
        return super().get_command(ctx, cmd_name)

    def read_in(self) -> None:
        """Have every command."""
        for panel in PANELS:
            self.add(import_module(f"webcb.cli.{panel}").COMMANDS)

    def add(self, commands: Iterable[click.Command]) -> None:
        """Commands behind those that are there."""
        for command in commands:
            self.add_command(command)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="webcb")
def commands() -> None:
    """The WEB callback service: calls A, then B, bridges the voice, charges both legs, hangs up when the money is out.

    Settings come from the environment (WEBCB_...) and from webcb.toml; `webcb config` shows them.
    """


commands.add(installation.COMMANDS)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit status."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; its exit status. What went wrong has been said on standard error."""
    typed = sys.argv[1:] if arguments is None else arguments
    try:
        _require_text(typed)
        return int(commands.main(args=typed, prog_name="webcb", standalone_mode=False) or 0)
    except (Exception, KeyboardInterrupt) as wrong:
        return said(wrong)


def said(wrong: Exception | KeyboardInterrupt) -> int:
    """The exit status of what ended a command, after saying on standard error what went wrong; raises what is a bug of ours again."""
    if isinstance(wrong, click.ClickException):
        _say(wrong)
        return wrong.exit_code
    if isinstance(wrong, click.Abort | KeyboardInterrupt):
        return INTERRUPTED
    explained = explain(wrong)
    if explained is None:
        raise wrong
    text, status = explained
    click.echo(f"webcb: {text}", err=True)
    return status


def _require_text(typed: list[str]) -> None:
    """Bytes that are no UTF-8 come as surrogates, which no database and no page takes."""
    for place, text in enumerate(typed, 1):
        if not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text):
            raise click.UsageError(f"word {place} is no UTF-8 text")


def _say(wrong: click.ClickException) -> None:
    """One line; the help itself where a command was given nothing to do."""
    if isinstance(wrong, click.exceptions.NoArgsIsHelpError):
        wrong.show()
        return
    context = wrong.ctx if isinstance(wrong, click.UsageError) else None
    command = context.command_path if context else "webcb"
    text = _NO_INTEGER.sub("is no whole number.", " ".join(wrong.format_message().split()))
    click.echo(f"{command}: {text}", err=True)


_NO_INTEGER = re.compile(r"is not a valid integer( range)?\.")


def explain(wrong: Exception) -> tuple[str, int] | None:
    """What to say of an exception that is somebody's mistake or misfortune, and the exit status; None where it is a bug."""
    from peewee import DatabaseError

    from webcb.db import DatabaseProblem
    from webcb.settings import SettingsProblem

    if isinstance(wrong, SettingsProblem):
        return "\nwebcb: ".join(wrong.problems), WRONG_USAGE
    if isinstance(wrong, DatabaseProblem):
        return str(wrong), FAILED
    if isinstance(wrong, DatabaseError):
        return f"the database does not do it: {str(wrong).strip().splitlines()[0]}", FAILED
    if isinstance(wrong, OSError) and wrong.filename and wrong.strerror:
        return f"{wrong.filename}: {wrong.strerror}", FAILED
    return None
