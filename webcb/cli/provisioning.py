"""Commands of the configuration and the books: apply a file, write it back, check that the money adds up."""

from pathlib import Path
from typing import IO

import click

PROBLEMS_SHOWN_MAX = 100


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option(
    "--set-passwords", is_flag=True, help="Set the service passwords of existing accounts too, not only of new ones."
)
def apply(file: IO[bytes], dry_run: bool, set_passwords: bool) -> int:
    """Configure the service from a file.

    FILE is YAML, or TOML where its name ends in .toml; `-` reads YAML from standard input. Says of everything what was created,
    changed or left. A file with a mistake changes nothing; every mistake is named by line and field. Applying a file twice
    changes nothing the second time.
    """
    from webcb import clock
    from webcb.cli import desk
    from webcb.provisioning import apply as door
    from webcb.provisioning.document import read
    from webcb.provisioning.source import FILE_BYTES_MAX

    name = getattr(file, "name", "-")
    name = "standard input" if name in ("-", "<stdin>") else name
    with desk.opened():
        document = read(file.read(FILE_BYTES_MAX + 1), is_toml=name.endswith(".toml"))
        try:
            report = door.apply(
                document, clock.utc_now(), desk.who(), file=name, dry_run=dry_run, set_passwords=set_passwords
            )
        except door.ApplyRefused as refused:
            for problem in refused.problems[:PROBLEMS_SHOWN_MAX]:
                click.echo(problem.said(name), err=True)
            count = len(refused.problems)
            more = f", of which the first {PROBLEMS_SHOWN_MAX} are shown" if count > PROBLEMS_SHOWN_MAX else ""
            click.echo(f"{count} problem{'' if count == 1 else 's'}{more}; nothing was changed.", err=True)
            return 1
    for line in report.said():
        click.echo(line)
    if dry_run:
        click.echo("A dry run: nothing was changed.")
    return 0


@click.command()
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, not to the terminal."
)
def export(output: Path | None) -> None:
    """Write the configuration as a file for `webcb apply`.

    Passwords and balances are left out; applying it to the same database changes nothing.
    """
    from webcb import clock
    from webcb.cli import desk
    from webcb.provisioning.export import export as written

    with desk.opened():
        text = written(clock.utc_now())
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise click.ClickException(f"{output}: {wrong.strerror}") from None


@click.command()
def check() -> int:
    """Check that balances, locks and bills agree.

    Every balance is the sum of its ledger rows, every locked amount the sum of held locks, every charge its xDR's; both
    sides of the ledger match, and no row of it was changed or taken away. Exit status 1 where anything differs. Prompts that are
    missing are said too, why voice cannot pass through the kernel, and how the nodes stand.
    """
    from webcb.billing import books
    from webcb.cli import desk, nodes
    from webcb.models import Callback, Ledger, Lock, Wallet, Xdr
    from webcb.money import format_amount

    with desk.opened():
        counts = {
            "wallets": Wallet.select().count(),
            "ledger rows": Ledger.select().count(),
            "xDRs": Xdr.select().count(),
            "locks": Lock.select().count(),
            "callbacks": Callback.select().count(),
        }
        stand = books.balances()
        differences = books.differences()
        fleet = [(name, state, callbacks) for _, name, state, callbacks in nodes.stand()]
    click.echo(f"checked: {', '.join(f'{noun} {count}' for noun, count in counts.items())}")
    for book, currency, amount_micros in stand:
        click.echo(f"{book:<14} {format_amount(amount_micros):>18} {currency}")
    for difference in differences:
        click.echo(difference)
    for name, state, callbacks in fleet:
        click.echo(f"node {name}: {state}; callbacks in progress: {callbacks}")
    _say_missing_prompts()
    _say_why_not_kernel()
    if differences:
        click.echo(f"{len(differences)} difference{'' if len(differences) == 1 else 's'}", err=True)
        return 1
    click.echo("OK: balances, locks, bills and both sides of the ledger agree; its chains are whole")
    return 0


def _say_missing_prompts() -> None:
    """Nothing of the books, but what a service that is looked after has: callers would hear nothing."""
    from webcb import settings as reader
    from webcb.prompts.library import Library

    unmade = Library(reader.load(make_missing=False).data_dir).unmade()
    if unmade:
        click.echo(f"prompts are not made yet in: {', '.join(unmade)}; `webcb prompts` makes them", err=True)


def _say_why_not_kernel() -> None:
    """Nothing of the books either: without it the engine works harder, and calls do not outlive it."""
    from rtpbridge import try_kernel
    from webcb import settings as reader

    if reader.load(make_missing=False).rtp_kernel == "off":
        return
    is_possible, why = try_kernel()
    if why:
        click.echo(f"voice {'passes' if is_possible else 'cannot pass'} through the kernel: {why}", err=True)


COMMANDS = (apply, export, check)
