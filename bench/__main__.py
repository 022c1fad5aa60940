"""Run every benchmark (or those named), print what each says, and at the end the one table: each figure beside its floor or peer.

The table goes to bench/results/table.md, all figures with the machine they were measured on to latest.json beside it. One that fails
is a line of the table, the others run all the same; the exit code is then 1.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.quick import SMALLER
from bench.table import Outcome, table

RESULTS = Path(__file__).parent / "results"
TABLE = "table.md"
BENCHMARKS = (
    "billing",
    "rates",
    "books",
    "sheets",
    "growth",
    "media",
    "codecs",
    "pacing",
    "sip",
    "cycle",
    "flood",
    "web",
    "pages",
    "page_cost",
)


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": _commit(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def measure(name: str, *, is_quick: bool) -> tuple[Outcome, Any]:
    """Run one; its outcome and its figures. Whatever it raises is its problem, not that of the others."""
    began = time.monotonic()
    try:
        module = importlib.import_module(f"bench.{name}")
        run = module.run
        if is_quick:
            for constant, smaller in SMALLER.get(name, {}).items():
                setattr(module, constant, smaller)
            run = getattr(module, "quick", run)
        figures = run()
        rows = tuple(module.beside(figures)) if hasattr(module, "beside") else ()
    except (Exception, SystemExit) as problem:
        traceback.print_exc()
        said = f"FAILED: {type(problem).__name__}: {problem}"
        return Outcome(name, time.monotonic() - began, problem=said), {"problem": said}
    return Outcome(name, time.monotonic() - began, rows), figures


def main() -> int:
    """Run the chosen benchmarks; returns a process exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all when none is named")
    parser.add_argument(
        "--quick", action="store_true", help="less of each, in some minutes; to be looked at, not to be quoted"
    )
    parser.add_argument("--save", type=Path, default=RESULTS / "latest.json", help="where the figures go (JSON)")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    measured_on = machine() | {"quick": arguments.quick}
    figures: dict[str, object] = {"machine": measured_on}
    said = "machine: " + ", ".join(f"{name} {value}" for name, value in measured_on.items())
    print(said)
    chosen = arguments.names or BENCHMARKS
    outcomes = []
    for name in BENCHMARKS:
        if name not in chosen:
            outcomes.append(Outcome(name, 0, problem="left out: not asked for"))
            continue
        print(f"\n== {name}", flush=True)
        outcome, figures[name] = measure(name, is_quick=arguments.quick)
        outcomes.append(outcome)
        print(f"({outcome.seconds:.0f} s)", flush=True)
        _save(arguments.save, said, figures, outcomes)
    print(f"\n{table(outcomes)}\n\nsaved as {arguments.save} and {arguments.save.with_name(TABLE)}")
    return int(any(outcome.name in chosen and outcome.problem for outcome in outcomes))


def _save(to: Path, said: str, figures: dict[str, object], outcomes: list[Outcome]) -> None:
    """After each, so that a run that is ended leaves what it has."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(json.dumps(figures, indent=2) + "\n")
    to.with_name(TABLE).write_text(f"{said}\n\n{table(outcomes)}\n")


if __name__ == "__main__":
    sys.exit(main())
