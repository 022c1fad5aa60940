"""Commands of API keys: by which programs act for an account."""

from typing import Any

import click

from webcb.cli.lists import csv_option, print_list

HEADS = ("name", "account", "voice_application", "scopes", "networks", "per_minute", "expires", "last_used", "revoked")


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
                row.account.login,
                row.voice_application.name,
                row.scopes,
                row.networks,
                row.requests_per_minute,
                row.expires_at,
                row.used_at,
                row.revoked_at is not None,
            )
            for row in ApiKey.select().order_by(ApiKey.name)
        ]
    print_list(HEADS, lines, as_csv)


@keys.command()
@click.argument("name")
@click.option("--account", "login", required=True, metavar="ID", help="Account that the key acts for, and that pays.")
@click.option(
    "--voice-application", "typed", default="-", metavar="NAME", help="By path or name; else the front page's."
)
@click.option(
    "--scopes", default="calls,account", show_default=True, help="What it may: calls, account; comma between."
)
@click.option(
    "--networks", default="", help="From where it may be used, as in 192.0.2.0/24; comma between; else anywhere."
)
@click.option(
    "--per-minute", type=click.IntRange(1, 100_000), default=120, show_default=True, help="Requests a minute."
)
@click.option("--days", type=click.IntRange(1, 3650), help="For how long it is good; else until it is revoked.")
def add(name: str, login: str, typed: str, scopes: str, networks: str, per_minute: int, days: int | None) -> None:
    """Make a key; it is shown once, and only a hash of it is kept."""
    from datetime import timedelta

    from peewee import IntegrityError

    from webcb import clock, db
    from webcb.cli import desk
    from webcb.models import ApiKey, Audit
    from webcb.web import bearer

    wanted = [each.strip() for each in scopes.split(",") if each.strip()]
    if not wanted or not set(wanted) <= set(bearer.SCOPES):
        raise click.BadParameter(f"write some of {', '.join(bearer.SCOPES)}", param_hint="--scopes")
    try:
        bearer.read_networks(networks)
    except ValueError as wrong:
        raise click.BadParameter(f"{wrong}; write networks as in 192.0.2.0/24", param_hint="--networks") from None
    if not 1 <= len(name) <= 64 or not name.isprintable():
        raise click.BadParameter("write 1 to 64 characters", param_hint="NAME")
    key, key_hash = bearer.new_key()
    at = clock.utc_now()
    with desk.opened():
        try:
            with db.writing():
                ApiKey.create(
                    name=name,
                    key_hash=key_hash,
                    account=desk.account(login),
                    voice_application=desk.application(typed),
                    scopes=",".join(wanted),
                    networks=networks,
                    requests_per_minute=per_minute,
                    expires_at=at + timedelta(days=days) if days else None,
                    made_at=at,
                )
                Audit.create(at=at, made_by=desk.who(), action="API key made", subject=f"API key {name}"[:120])
        except IntegrityError:
            raise click.ClickException(f"there is a key {name!r} already") from None
    click.echo(f"key {name}, shown only now: {key}")


@keys.command()
@click.argument("name")
def revoke(name: str) -> None:
    """End a key at once; it stays in the list."""
    from webcb import clock, db
    from webcb.cli import desk
    from webcb.models import ApiKey, Audit

    at = clock.utc_now()
    with desk.opened(), db.writing():
        ended = ApiKey.update(revoked_at=at).where((ApiKey.name == name) & ApiKey.revoked_at.is_null()).execute()
        if not ended:
            raise click.ClickException(f"there is no key {name!r} that is good; `webcb keys` lists them")
        Audit.create(at=at, made_by=desk.who(), action="API key revoked", subject=f"API key {name}"[:120])
    click.echo(f"key {name} is revoked")


COMMANDS = (keys,)
