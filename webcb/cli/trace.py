"""The command that shows what was said of one callback on the wire."""

from pathlib import Path
from typing import Any

import click


@click.command()
@click.option("--full", is_flag=True, help="Every message in full below its rung.")
@click.option(
    "--pcap",
    "pcap_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the messages as packets for Wireshark or tcpdump instead.",
)
@click.argument("callback_id", metavar="ID")
def trace(callback_id: str, full: bool, pcap_file: Path | None) -> None:
    """Show the SIP messages of a callback that has ended, as a ladder.

    They are kept for the days of the setting trace_days, credentials masked. `webcb callbacks` shows the IDs.
    """
    from webcb.capture import pcap
    from webcb.cli import desk
    from webcb.ladder import Message, ladder
    from webcb.models import Callback
    from webcb.models import Message as Row

    fields = [getattr(Row, name) for name in Message.__slots__]
    with desk.opened():
        callback = Callback.get_or_none(Callback.id == callback_id)
        rows: Any = Row.select(*fields).where(Row.callback == callback_id).order_by(Row.position).tuples()
        messages = [Message(*row) for row in rows]
    if callback is None:
        raise click.ClickException(f"there is no callback {callback_id!r}")
    if not messages:
        why = (
            "none is kept"
            if callback.state == "ended"
            else f"it goes on ({callback.state}); they are written at its end"
        )
        raise click.ClickException(f"no messages of {callback_id}: {why}")
    if pcap_file is None:
        click.echo(ladder(messages, full))
        return
    try:
        pcap_file.write_bytes(pcap(messages))
    except OSError as wrong:
        raise click.ClickException(f"{pcap_file} cannot be written: {wrong.strerror}") from wrong
    click.echo(f"{len(messages)} messages written to {pcap_file}")


COMMANDS = (trace,)
