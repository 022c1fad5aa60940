"""Which ports the bridges of tests may draw from: those of one test process are no other's, which may have to bind them again."""

import os
from typing import Final

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
MEDIA_MIN: Final = 10_000 + 1_000 * (_WORKER % 10)
MEDIA_MAX: Final = MEDIA_MIN + 999
