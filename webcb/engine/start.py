"""The start of an engine, in the order in which it matters to those whose calls an engine before it had: their voice first.

`main` is what `webcb engine` runs. Most of the engine, half a second of a processor to read in, comes last: the voice flows by then.
"""

import sys
from functools import partial

from webcb.engine import haste
from webcb.engine.succession import EXIT_CANNOT_START, StartProblem, next_engine_of, only_engine_of
from webcb.settings import Settings
from webcb.watching import log as logs


def main(settings: Settings, *, stands_by: bool = False, takes_over: bool = False) -> int:
    """Run the engine until SIGTERM or SIGINT; its exit status, see `runner.run`.

    `stands_by`: where another runs on the data folder, wait until that ends, and go on with its calls; `takes_over`: ask it to.
    """
    nice = haste.niceness()
    logs.start(settings.log_format, settings.node_name)
    try:
        if stands_by or takes_over:
            next_engine_of(settings, takes_over, partial(_get_ready, settings))
        else:
            only_engine_of(settings)
        haste.come_first()  # until the calls of an engine before us go on
        from webcb.engine.revival import open_media

        media = open_media(settings)
    except StartProblem as wrong:
        print(f"webcb engine: {wrong}", file=sys.stderr)
        return EXIT_CANNOT_START
    from webcb.engine import runner

    return runner.run(settings, nice, media)


def _get_ready(settings: Settings) -> None:
    """Do once what takes longer the first time, as nobody waits for it yet; what is wrong is said when it matters."""
    from contextlib import suppress

    from webcb import db
    from webcb.engine import revival, runner  # noqa: F401 - they are to be there

    opened = db.connect(settings.database)
    with suppress(*db.UNAVAILABLE):
        opened.connect()
    opened.close()
