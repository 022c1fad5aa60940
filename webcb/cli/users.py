"""Commands of operators: the first administrator is made here, the others on the pages."""

import secrets
from typing import Any

import click

from webcb.cli.lists import csv_option, print_list

HEADS = ("login", "name", "role", "second_factor", "blocked")
ROLES = ("administrator", "billing", "support", "read only")


@click.group(invoke_without_command=True)
@csv_option
@click.pass_context
def users(ctx: click.Context, as_csv: bool) -> None:
    """List the operators of the admin site; `add` makes one."""
    if ctx.invoked_subcommand is not None:
        return
    from webcb.cli import desk
    from webcb.models import User

    with desk.opened():
        lines: list[tuple[Any, ...]] = [
            (row.login, row.name, row.role, bool(row.sealed_totp), row.blocked)
            for row in User.select().order_by(User.login)
        ]
    print_list(HEADS, lines, as_csv)


@users.command()
@click.argument("login")
@click.option("--role", type=click.Choice(ROLES), default="administrator", show_default=True)
def add(login: str, role: str) -> None:
    """Add an operator, who signs in at /admin. The password is drawn and shown once."""
    import re

    from peewee import IntegrityError

    from webcb import clock, db
    from webcb.billing import credentials
    from webcb.cli import desk
    from webcb.models import Audit, User

    if not re.fullmatch(r"[A-Za-z0-9._@-]{1,64}", login):
        raise click.BadParameter("use letters, digits, . _ @ -, 64 at most", param_hint="LOGIN")
    password = secrets.token_urlsafe(15)
    with desk.opened():
        try:
            with db.writing():
                User.create(login=login, role=role, password=credentials.hash_password(password))
                Audit.create(
                    at=clock.utc_now(), made_by=desk.who(), action=f"user created: {role}", subject=f"user {login}"
                )
        except IntegrityError:
            raise click.ClickException(f"there is a user {login!r} already") from None
    click.echo(f"user {login}, {role}; password, shown only now: {password}")


@users.command()
@click.argument("login")
@click.confirmation_option(prompt="Draw a new password and remove the second factor?")
def reset(login: str) -> None:
    """Draw a new password for an operator, remove his second factor, and sign him out everywhere."""
    from webcb import clock, db
    from webcb.billing import credentials
    from webcb.cli import desk
    from webcb.models import Audit, User, UserSession

    password = secrets.token_urlsafe(15)
    with desk.opened(), db.writing():
        hashed, at = credentials.hash_password(password), clock.utc_now()
        changed = (
            User.update(password=hashed, sealed_totp="", totp_step=0, blocked=False)
            .where(User.login == login)
            .execute()
        )
        if not changed:
            raise click.ClickException(f"there is no user {login!r}; `webcb users` lists them")
        mine = UserSession.user.in_(User.select(User.id).where(User.login == login))
        UserSession.update(ended_at=at).where(UserSession.ended_at.is_null(), mine).execute()
        Audit.create(at=at, made_by=desk.who(), action="password and second factor reset", subject=f"user {login}")
    click.echo(f"user {login}; password, shown only now: {password}")


COMMANDS = (users,)
