"""The start of an engine, in the order in which it matters to those whose calls an engine before it had: their voice first.

`main` is what `webcb engine` runs. Most of the engine, half a second of a processor to read in, comes last: the voice flows by then.
"""

import sys
from functools import partial

from webcb import haste
from webcb.engine.steps import Steps
from webcb.engine.succession import EXIT_CANNOT_START, StartProblem, next_engine_of, only_engine_of
from webcb.settings import Settings
from webcb.watching import log as logs


def main(settings: Settings, nice: int, steps: Steps, *, stands_by: bool = False, takes_over: bool = False) -> int:
    """Run the engine until SIGTERM or SIGINT; its exit status, see `runner.run`.

    It comes first already, and as `nice` when nobody waits for it; `steps` are those up to here. `stands_by`: where another runs on the
    data folder, wait until that ends, and go on with its calls; `takes_over`: ask it to.
    """
    steps.done("read in")
    logs.start(settings.log_format, settings.node_name)
    try:
        if stands_by or takes_over:
            if next_engine_of(settings, takes_over, partial(_get_ready, settings, nice)):
                steps.its_turn()
                haste.come_first()
        else:
            only_engine_of(settings)
        steps.done("its turn")
        from webcb.engine.revival import open_media

        steps.done("the bridge read in")
        media = open_media(settings, steps)
    except StartProblem as wrong:
        print(f"webcb engine: {wrong}", file=sys.stderr)
        return EXIT_CANNOT_START
    from webcb.engine import runner

    return runner.run(settings, nice, media)


def _get_ready(settings: Settings, nice: int) -> None:
    """Do once what takes longer the first time, as nobody waits for it yet; what is wrong is said when it matters."""
    haste.come_as(nice)
    from contextlib import suppress

    from webcb import db
    from webcb.engine import revival, runner  # noqa: F401 - they are to be there

    opened = db.connect(settings.database)
    with suppress(*db.UNAVAILABLE):
        opened.connect()
    opened.close()
