"""The program `webcb`, also `python -m webcb`: the command line, but that an engine does not wait for it.

Those whose calls an engine carries on hear nothing until it does: it comes first before it reads anything in, and reads in no more
than it needs.
"""

import sys
from typing import NoReturn

ENGINE = "engine"
STAND_BY, TAKE_OVER = "--stand-by", "--take-over"


def main() -> NoReturn:
    """Run what was typed, and leave with its exit status."""
    typed = sys.argv[1:]
    if typed[:1] == [ENGINE] and set(typed[1:]) <= {STAND_BY, TAKE_OVER}:
        sys.exit(_engine(STAND_BY in typed, TAKE_OVER in typed))
    from webcb import cli

    cli.main()


def _engine(stands_by: bool, takes_over: bool) -> int:
    from webcb import haste

    nice = haste.come_first()
    from webcb.engine.steps import Steps

    steps = Steps()
    steps.done("Python up")
    try:
        from webcb import settings as reader
        from webcb.engine import start

        return start.main(reader.load(), nice, steps, stands_by=stands_by, takes_over=takes_over)
    except (Exception, KeyboardInterrupt) as wrong:
        from webcb import cli

        return cli.said(wrong)


if __name__ == "__main__":
    main()
