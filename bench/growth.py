"""Whether what a call costs stays the same as the installation grows: authorization at up to a million accounts and rates, settlement
at up to ten million xDRs, on both databases; and the engine's CPU for a callback at up to a thousand that are going on.

A database a size (`bench.growth_rows`), all of a kind built before they are measured. Then by turns, a moment's load is everybody's: in
each the same work for accounts, numbers and calls that are far from each other. A curve is flat where its highest point is within
FLAT times its lowest. What is measured is kept as it comes: `python -m bench.growth` shows what a run that was ended had so far.
"""

import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from bench import cycle_growth
from bench.growth_rows import ACCOUNTS_OF_XDRS, build, opened
from tests import databases, postgresql
from tests.billing import rows
from webcb import db, models
from webcb.billing import reception, settlement
from webcb.billing.authorization import Refusal
from webcb.billing.settlement import LegUsage
from webcb.number import Kind, Number

SIZES: Final = {
    "accounts": (1_000, 10_000, 100_000, 1_000_000),  # and as many rates
    "xdrs": (10_000, 100_000, 1_000_000, 10_000_000),
}
ALL_RATES: Final = 1_000_000
STRIDE: Final = 499_979  # a prime: what is asked for one after the other is far apart
ROUNDS: Final = 10
WARM, MEASURED = 30, 100  # in each round
FLAT: Final = 1.3
RESULTS: Final = Path(__file__).parent / "results" / "growth.json"
PLOT: Final = Path(__file__).parents[1] / "docs" / "images" / "growth.svg"
TITLES: Final = {
    "accounts": ("Authorization", "accounts, and as many rates", "microseconds of a call"),
    "xdrs": ("Settlement", "xDRs", "microseconds of a call"),
    "callbacks": ("The engine", "callbacks going on", "milliseconds of CPU, a callback"),
}
GROWS: Final = {"quote": "accounts", "place and begin": "accounts", "settle": "xdrs", "engine": "callbacks"}

Curves = dict[str, dict[int, float]]


def run(sizes: dict[str, tuple[int, ...]] = SIZES, rounds: int = ROUNDS) -> Curves:
    """Build and measure all, print the table, plot the curves; microseconds of a call by size, milliseconds of an engine's callback."""
    curves: Curves = {}
    with tempfile.TemporaryDirectory() as folder, postgresql.running() as server:
        for what, numbers in sizes.items():
            _measure_all(what, numbers, Path(folder), server, rounds, curves)
    if sizes == SIZES:
        curves["engine, a callback"] = cycle_growth.curve()
        _keep(curves)
        plot(curves)
    show(curves)
    return curves


def _measure_all(what: str, numbers: tuple[int, ...], folder: Path, server: str, rounds: int, curves: Curves) -> None:
    """Build all sizes of one kind on both databases, measure them by turns, and give their room back."""
    taken: dict[str, dict[int, list[float]]] = {}
    with ExitStack() as ends:
        places: list[tuple[int, str]] = []
        for size in numbers:
            file = folder / f"{what}-{size}.sqlite"
            ends.callback(file.unlink)
            for url in (f"sqlite:///{file}", ends.enter_context(databases.database_of(server))):
                began = time.monotonic()
                build(what, size, url)
                places.append((size, url))
                print(
                    f"  {size:,} {what}, {url.partition(':')[0]}: built in {time.monotonic() - began:.0f} s", flush=True
                )
        for turn in range(rounds):
            for size, url in random.sample(places, len(places)):
                _measure(turn, what, size, url, taken)
            for name, by_size in sorted(taken.items()):
                curves[name] = {size: _typical_us(each) for size, each in sorted(by_size.items())}
            _keep(curves)


def _measure(turn: int, what: str, size: int, url: str, taken: dict[str, dict[int, list[float]]]) -> None:
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
            taken.setdefault(f"{name}, {db.dialect()}", {}).setdefault(size, []).extend(_seconds(each))


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


def _seconds(work: Sequence[Callable[[], object]]) -> list[float]:
    for each in work[:WARM]:
        each()
    taken = []
    for each in work[WARM:]:
        start = time.perf_counter()
        each()
        taken.append(time.perf_counter() - start)
    return taken


def _typical_us(taken: Sequence[float]) -> float:
    """Microseconds: a tenth is quicker. Who shares the machine makes it slower, never quicker."""
    return round(statistics.quantiles(taken, n=10)[0] * 1e6, 1)


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
            print(f"| {name} | {points} | {steepness(curve):.2f} |")


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
            if _grows(name) == what:
                axes.plot(list(curve), list(curve.values()), marker="o", label=f"{name} ({steepness(curve):.2f})")
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel, xscale="log", ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, metadata={"Date": None})
    print(f"\nplotted as {PLOT}")


if __name__ == "__main__":
    if not RESULTS.exists():
        sys.exit("nothing was measured yet: python -m bench growth")
    show(kept())
    plot(kept())
