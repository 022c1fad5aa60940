"""The command that makes signed links to pages that want one."""

from datetime import timedelta

import click


@click.command()
@click.argument("typed", metavar="VOICE_APPLICATION")
@click.option("--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="For how long it is good.")
@click.option(
    "--base", metavar="URL", help="What stands before it, as in https://calls.example.com; else the setting public_url."
)
def link(typed: str, days: int, base: str | None) -> None:
    """Make a link by which Simple and Hosted callbacks may be asked for where the voice application wants one (needs_link)."""
    from webcb import clock
    from webcb.cli import desk
    from webcb.settings import web_address
    from webcb.web import links

    if base is not None:
        try:
            base = web_address(base)
        except ValueError as wrong:
            raise click.BadParameter(f"{base!r}: {wrong}", param_hint="--base") from None
    with desk.opened() as settings:
        application = desk.application(typed)
    token = links.make(application.path, settings.secret_key, clock.utc_now() + timedelta(days=days))
    page = "/" if application.path == "-" else f"/{application.path}"
    click.echo(f"{settings.public_url if base is None else base}{page}?{links.PARAMETER}={token}")


COMMANDS = (link,)
