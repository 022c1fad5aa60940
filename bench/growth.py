"""Whether what a call costs stays the same as the installation grows: authorization at up to a million accounts and rates, settlement
at up to ten million xDRs, on both databases; and the engine's CPU for a callback at up to a thousand that are going on.

A database a size (`bench.growth_rows`), all of a kind on one server built before they are measured, and removed before the next. Then
by turns in an order by chance, a moment's load is everybody's: in each the same work for accounts, numbers and calls that are far from
each other. What counts is the CPU of a call, here and in the server's process that works for it: elapsed time is the host's mood, and
is told beside it with what came from the disk. A curve is flat where its highest point is within FLAT times its lowest.

`python -m bench.growth` shows what was kept; `--measure WHAT DATABASE --largest N` measures a part and keeps it with the rest.
"""

import argparse
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from bench import cycle_growth
from bench.growth_rows import ACCOUNTS_OF_XDRS, build, opened
from bench.table import Beside
from tests import databases, postgresql
from tests.billing import rows
from webcb import db, models
from webcb.billing import query, reception, settlement
from webcb.billing.authorization import Refusal
from webcb.billing.settlement import LegUsage
from webcb.number import Kind, Number

SIZES: Final = {
    "accounts": (1_000, 10_000, 100_000, 1_000_000),  # and as many rates
    "xdrs": (10_000, 100_000, 1_000_000, 10_000_000),
}
ALL_RATES: Final = 1_000_000
STRIDE: Final = 499_979  # a prime: what is asked for one after the other is far apart
ROUNDS: Final = 16
QUICK_LARGEST, QUICK_ROUNDS = 100_000, 5
WARM, MEASURED = 30, 100  # in each round
FLAT: Final = 1.3
RESULTS: Final = Path(__file__).parent / "results" / "growth.json"
PLOT: Final = Path(__file__).parents[1] / "docs" / "images" / "growth.svg"
TITLES: Final = {
    "accounts": ("Authorization", "accounts, and as many rates", "microseconds of CPU"),
    "xdrs": ("Settlement", "xDRs", "microseconds of CPU"),
    "callbacks": ("The engine", "callbacks going on", "milliseconds of CPU, a callback"),
}
GROWS: Final = {"quote": "accounts", "place and begin": "accounts", "settle": "xdrs", "engine": "callbacks"}

Curves = dict[str, dict[int, float]]


class Cost(NamedTuple):
    """What a call took, or what all took so far: microseconds of CPU and of time, KiB that came from the disk."""

    cpu_us: float
    elapsed_us: float
    read_kib: float


ALSO: Final = {"elapsed": 1, "KiB from disk": 2}  # told beside the CPU, by their place in a Cost


def run(
    sizes: dict[str, tuple[int, ...]] = SIZES, rounds: int = ROUNDS, dialects: Sequence[str] = ("sqlite", "postgresql")
) -> Curves:
    """Build and measure all, print the table, plot the curves; microseconds of CPU by size, milliseconds of an engine's callback."""
    curves = kept() if RESULTS.exists() else {}
    for what, numbers in sizes.items():
        for dialect in dialects:
            curves |= _measured(what, dialect, numbers, rounds)
            _keep(curves)
    if sizes == SIZES:
        curves["engine, a callback"] = cycle_growth.curve()
        _keep(curves)
        plot(curves)
    show(curves)
    return curves


def quick() -> Curves:
    """Sizes that are built in seconds."""
    sizes = {what: tuple(each for each in all_of_it if each <= QUICK_LARGEST) for what, all_of_it in SIZES.items()}
    curves: Curves = {}
    for what, numbers in sizes.items():
        for dialect in ("sqlite", "postgresql"):
            curves |= _measured(what, dialect, numbers, QUICK_ROUNDS)
    show(curves)
    return curves


def _measured(what: str, dialect: str, numbers: tuple[int, ...], rounds: int) -> Curves:
    """Build all sizes of one kind on one database, measure them by turns, and give their room back."""
    taken: dict[str, dict[int, list[Cost]]] = {}
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        server = ends.enter_context(postgresql.running()) if dialect == "postgresql" else ""
        places: list[tuple[int, str]] = []
        for size in numbers:
            file = f"sqlite:///{folder / f'{what}-{size}.sqlite'}"
            url = ends.enter_context(databases.database_of(server)) if server else file
            began = time.monotonic()
            build(what, size, url)
            places.append((size, url))
            print(f"  {size:,} {what}, {dialect}: built in {time.monotonic() - began:.0f} s", flush=True)
        for turn in range(rounds):
            for size, url in random.sample(places, len(places)):
                _measure(turn, what, size, url, taken)
    curves = {}
    for name, by_size in sorted(taken.items()):
        middle = {size: _middle(each) for size, each in sorted(by_size.items())}
        curves[name] = {size: cost.cpu_us for size, cost in middle.items()}
        for figure, place in ALSO.items():
            curves[f"{name}, {figure}"] = {size: cost[place] for size, cost in middle.items()}
    return curves


def _middle(taken: Sequence[Cost]) -> Cost:
    return Cost(*(round(statistics.median(each), 1) for each in zip(*taken, strict=True)))


def _measure(turn: int, what: str, size: int, url: str, taken: dict[str, dict[int, list[Cost]]]) -> None:
    """Add what the work of this turn took to that of its database and size."""
    with opened(url):
        house = _found()
        if what == "accounts":
            quotes, orders = (_orders(house, size, f"{key}-{turn}", turn) for key in ("quoted", "begun"))
            work = {
                "quote": [partial(_quoted, each) for each in quotes],
                "place and begin": [partial(_placed_and_begun, each) for each in orders],
            }
        else:
            first = turn * (WARM + MEASURED)
            logins = {n: f"grown{(first + n) * STRIDE % ACCOUNTS_OF_XDRS}" for n in range(WARM + MEASURED)}
            begun = [_placed_and_begun(_order(house, login, f"{turn}-{n}")) for n, login in logins.items()]
            work = {"settle": [partial(_settle, each, house.connection.id) for each in begun]}
        for name, each in work.items():
            taken.setdefault(f"{name}, {db.dialect()}", {}).setdefault(size, []).append(_cost(each))


def _found() -> rows.House:
    """The rows of `rows.house`, which made them first."""
    tables = {
        "tariff": models.Tariff, "product": models.Product, "customer": models.Customer, "account": models.Account,
        "vendor": models.Vendor, "connection": models.Connection, "application": models.VoiceApplication, "node": models.Node,
    }  # fmt: skip
    first = {name: table.select().order_by(table.id).get() for name, table in tables.items()}
    return rows.House(**first, vendor_tariff=models.Tariff.get(models.Tariff.name == "Vendor"))


def _orders(house: rows.House, size: int, key: str, turn: int) -> list[reception.Order]:
    first = turn * (WARM + MEASURED)
    numbers = [number * STRIDE % size for number in range(first, first + WARM + MEASURED + 1)]
    return [_order(house, f"grown{each}", f"{key}-{n}", (each, numbers[n + 1])) for n, each in enumerate(numbers[:-1])]


def _order(house: rows.House, login: str, key: str, destinations: tuple[int, int] | None = None) -> reception.Order:
    if destinations is None:
        return rows.order(house, key, login=login)
    a, b = (Number(f"{5_000_000 + value * STRIDE % ALL_RATES}1234", "BR", Kind.ORDINARY) for value in destinations)
    return rows.order(house, key, login=login, number_a=a, number_b=b)


def _quoted(order: reception.Order) -> None:
    quoted = reception.quote(order, rows.NOON)
    assert not isinstance(quoted, Refusal), quoted


def _placed_and_begun(order: reception.Order) -> str:
    placed = reception.place(order, rows.NOON)
    assert isinstance(placed, reception.Placed), placed
    begun = reception.begin(placed.callback_id, rows.NOON)
    assert isinstance(begun, reception.Begun), begun
    return placed.callback_id


def _settle(callback_id: str, connection_id: int) -> None:
    ended_at = rows.NOON + timedelta(seconds=45)
    usages = [LegUsage(leg, rows.NOON, ended_at, 45_000_000, 1200, 16, connection_id) for leg in ("A", "B")]
    settlement.settle(callback_id, usages, "A hung up", True, ended_at)


def _cost(work: Sequence[Callable[[], object]]) -> Cost:
    """What one of these calls takes when others came before it."""
    for each in work[:WARM]:
        each()
    server = query.values("SELECT pg_backend_pid()")[0] if db.dialect() == "postgresql" else None
    before = _spent(server)
    for each in work[WARM:]:
        each()
    spent = _spent(server)
    return Cost(*((after - so_far) / (len(work) - WARM) for so_far, after in zip(before, spent, strict=True)))


def _spent(server: int | None) -> Cost:
    """By this process so far, and by the one that works for it."""
    processes = ["self", *([str(server)] if server else [])]
    cpu_ns = time.process_time_ns()
    if server:  # while it waits for us: what it ran is in there to the nanosecond
        cpu_ns += int(Path(f"/proc/{server}/schedstat").read_text().split()[0])
    octets = [
        re.search(r"^read_bytes: (\d+)", Path(f"/proc/{each}/io").read_text(), re.MULTILINE) for each in processes
    ]
    return Cost(cpu_ns / 1000, time.monotonic() * 1e6, sum(int(each[1]) for each in octets if each) / 1024)


def steepness(curve: dict[int, float]) -> float:
    """The highest point of a curve over its lowest."""
    return max(curve.values()) / min(curve.values())


def show(curves: Curves) -> None:
    """Print the curves as one table, with how far each is from flat."""
    for what, (title, xlabel, ylabel) in TITLES.items():
        of = {name: curve for name, curve in curves.items() if _grows(name) == what}
        sizes = sorted({size for curve in of.values() for size in curve})
        print(
            f"\n| {title}: {ylabel}, by {xlabel} | "
            + " | ".join(f"{size:,}" for size in sizes)
            + " | highest / lowest |"
        )
        print("|---|" + "---:|" * (len(sizes) + 1))
        for name, curve in of.items():
            points = " | ".join(f"{curve[size]:,.4g}" if size in curve else "" for size in sizes)
            is_cost = name.count(",") == 1
            print(f"| {name} | {points} | {f'{steepness(curve):.2f}' if is_cost else ''} |")


def _grows(name: str) -> str:
    return GROWS[name.partition(",")[0]]


def _keep(curves: Curves) -> None:
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(curves, indent=2) + "\n")


def kept() -> Curves:
    """What the latest run measured, be it to its end or not."""
    return {
        name: {int(size): value for size, value in curve.items()}
        for name, curve in json.loads(RESULTS.read_text()).items()
    }


def plot(curves: Curves) -> None:
    """Draw the picture of the docs."""
    try:
        from matplotlib import rcParams
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("\nnot plotted: matplotlib is not here. `make bench` installs it, as does: pip install -e '.[bench]'")
        return
    rcParams["svg.hashsalt"] = "growth"  # the same curves are the same file
    figure = Figure(figsize=(12, 4), layout="constrained")
    for axes, (what, (title, xlabel, ylabel)) in zip(figure.subplots(1, len(TITLES)), TITLES.items(), strict=True):
        for name, curve in curves.items():
            if _grows(name) == what and name.count(",") == 1:
                axes.plot(list(curve), list(curve.values()), marker="o", label=f"{name} ({steepness(curve):.2f})")
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel, xscale="log", ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, metadata={"Date": None})
    print(f"\nplotted as {PLOT}")


def beside(curves: Curves) -> list[Beside]:
    """The highest point of each curve beside its lowest."""
    rows_ = []
    for name, curve in curves.items():
        if name.count(",") == 1 and len(curve) > 1:
            unit = "ms" if name.startswith("engine") else "µs"
            what = f"{name}: the dearest of {min(curve):,} to {max(curve):,}"
            rows_.append(Beside(what, max(curve.values()), unit, "the cheapest", min(curve.values()), aim=FLAT))
    return rows_


def main() -> None:
    """Show what was kept, or measure a part of it anew."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument(
        "--measure", nargs=2, metavar=("WHAT", "DATABASE"), help="accounts or xdrs, on sqlite or postgresql"
    )
    parser.add_argument("--largest", type=int, default=max(SIZES["xdrs"]), help="no size above this one")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each size has its turn")
    chosen = parser.parse_args()
    if chosen.measure:
        what, dialect = chosen.measure
        numbers = tuple(each for each in SIZES[what] if each <= chosen.largest)
        run({what: numbers}, chosen.rounds, (dialect,))
    elif RESULTS.exists():
        show(kept())
        plot(kept())
    else:
        sys.exit("nothing was measured yet: python -m bench growth")


if __name__ == "__main__":
    main()
