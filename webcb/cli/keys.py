"""Commands of API keys: by which programs act for an account, or for the operator."""

from typing import Any

import click

from webcb.cli.lists import csv_option, print_list

HEADS = (
    "name",
    "account",
    "voice_application",
    "scopes",
    "networks",
    "per_minute",
    "expires",
    "last_used",
    "revoked",
    "webhook",
)


@click.group(invoke_without_command=True)
@csv_option
@click.pass_context
def keys(ctx: click.Context, as_csv: bool) -> None:
    """List the API keys; `add` makes one, `revoke` ends one."""
    if ctx.invoked_subcommand is not None:
        return
    from webcb.cli import desk
    from webcb.models import ApiKey

    with desk.opened():
        lines: list[tuple[Any, ...]] = [
            (
                row.name,
                row.account.login if row.account else "",
                row.voice_application.name if row.voice_application else "",
                row.scopes,
                row.networks,
                row.requests_per_minute,
                row.expires_at,
                row.used_at,
                row.revoked_at is not None,
                row.webhook_url,
            )
            for row in ApiKey.select().order_by(ApiKey.name)
        ]
    print_list(HEADS, lines, as_csv)


@keys.command()
@click.argument("name")
@click.option("--account", "login", metavar="ID", help="Account that the key acts for, and that pays.")
@click.option(
    "--operator", is_flag=True, help="A key of the operator instead: for all accounts, their funds, the configuration."
)
@click.option(
    "--voice-application", "typed", default="-", metavar="NAME", help="By path or name; else the front page's."
)
@click.option(
    "--scopes",
    help="What it may, comma between: calls, account; of the operator accounts, funds, provisioning. Else all of these.",
)
@click.option(
    "--networks", default="", help="From where it may be used, as in 192.0.2.0/24; comma between; else anywhere."
)
@click.option(
    "--per-minute", type=click.IntRange(1, 100_000), default=120, show_default=True, help="Requests a minute."
)
@click.option("--days", type=click.IntRange(1, 3650), help="For how long it is good; else until it is revoked.")
@click.option("--webhook", "webhook_url", default="", metavar="URL", help="Is told of every call placed with the key.")
def add(
    name: str,
    login: str | None,
    operator: bool,
    typed: str,
    scopes: str | None,
    networks: str,
    per_minute: int,
    days: int | None,
    webhook_url: str,
) -> None:
    """Make a key; it is shown once, and only a hash of it is kept. What it is told is signed by the secret shown beside it."""
    from webcb import clock, webhook
    from webcb.cli import desk
    from webcb.web import bearer

    if operator == (login is not None):
        raise click.UsageError("write --account ID or --operator")
    possible = bearer.OPERATOR_SCOPES if operator else bearer.ACCOUNT_SCOPES
    wanted_scopes = possible if scopes is None else tuple(each.strip() for each in scopes.split(",") if each.strip())
    with desk.opened() as settings:
        wanted = bearer.Wanted(
            name=name,
            scopes=wanted_scopes,
            account=None if operator else desk.account(login or ""),
            voice_application=None if operator else desk.application(typed),
            networks=networks,
            requests_per_minute=per_minute,
            days=days,
            webhook_url=webhook_url,
        )
        private = webhook.read_networks(settings.webhook_networks)
        try:
            made = bearer.make(wanted, private, desk.who(), clock.utc_now())
        except bearer.KeyProblem as wrong:
            raise click.ClickException(f"{wrong.field.replace('_url', '')}: {wrong}") from None
    click.echo(f"key {name}, shown only now: {made.key}")
    if not operator:
        click.echo(f"secret of its webhooks, shown only now: {made.webhook_secret}")


@keys.command()
@click.argument("name")
def revoke(name: str) -> None:
    """End a key at once; it stays in the list."""
    from webcb import clock
    from webcb.cli import desk
    from webcb.web import bearer

    with desk.opened():
        if not bearer.revoke(name, desk.who(), clock.utc_now()):
            raise click.ClickException(f"there is no key {name!r} that is good; `webcb keys` lists them")
    click.echo(f"key {name} is revoked")


COMMANDS = (keys,)
