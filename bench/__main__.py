"""Run every benchmark (or those named), print its table, save all figures with the machine they were measured on as JSON."""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
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


def main() -> int:
    """Run the chosen benchmarks; returns a process exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all when none is named")
    parser.add_argument("--save", type=Path, default=RESULTS / "latest.json", help="where the figures go (JSON)")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    figures: dict[str, object] = {"machine": machine()}
    print("machine: " + ", ".join(f"{name} {value}" for name, value in machine().items()))
    for name in arguments.names or BENCHMARKS:
        print(f"\n== {name}")
        figures[name] = importlib.import_module(f"bench.{name}").run()
    arguments.save.parent.mkdir(parents=True, exist_ok=True)
    arguments.save.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"\nsaved as {arguments.save}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
