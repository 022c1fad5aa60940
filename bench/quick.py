"""What `python -m bench --quick` measures instead: the same work, less of it. Constants by benchmark.

A benchmark that has a `quick` of its own runs that instead of its `run`. Compare quick figures with quick ones only.
"""

from typing import Final

SMALLER: Final[dict[str, dict[str, float]]] = {
    "billing": {"RUNS": 3},
    "rates": {"RATES": 50_000, "LOOK_UPS": 500, "RUNS": 3},
    "books": {"LEDGER_ROWS": 50_000, "CHAINS": 500},
    "sheets": {"SHEET_LINES": 10_000, "FILE_RATES": 3_000},
    "pacing": {"SECONDS": 2},
    "sip": {"ROUNDS": 9},
    "cycle": {"RUNS": 2, "CALLBACKS_A_RUN": 100, "SINGLE_CALLBACKS": 10, "ORDERS_BY_HTTP": 10},
    "flood": {"ROUNDS": 1},
    "pages": {"CALLS_UP": 40, "REQUESTS": 100},
    "page_cost": {"REQUESTS": 60},
}
