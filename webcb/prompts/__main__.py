"""`python -m webcb.prompts`: speak the prompts that are missing, with a line of log a language. Started beside the service."""

import logging
import sys

from webcb import settings
from webcb.prompts.library import Library

log = logging.getLogger("webcb.prompts")


def main() -> int:
    """0 when all are there, 1 where some could not be made."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return 0 if Library(settings.load().data_dir).make_missing(_say) else 1


def _say(language: str, problem: str) -> None:
    if problem:
        log.error("%s: %s", language, problem)
    else:
        log.info("the prompts of %s are made", language)


if __name__ == "__main__":
    sys.exit(main())
