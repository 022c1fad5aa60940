"""Whether what a call costs stays the same as the installation grows: authorization at up to a million accounts and rates, settlement
at up to a million xDRs, on both databases.

Rows are made by SQL, a database a size; in each the same work is measured for accounts, numbers and calls that are far from each
other. Commits do not wait for the disk: that would hide what grows. A curve is flat where its highest point is
within FLAT times its lowest.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from tests import databases, postgresql
from tests.billing import rows
from webcb import db, models
from webcb.billing import credentials, query, reception, settlement
from webcb.billing.settlement import LegUsage
from webcb.number import Kind, Number

ACCOUNTS = (1_000, 10_000, 100_000, 1_000_000)  # and as many rates
XDRS = (10_000, 100_000, 1_000_000)
ALL_RATES = 1_000_000
STRIDE = 499_979  # a prime: what is asked for one after the other is far apart
WARM, MEASURED = 100, 900
FLAT = 1.3
PLOT = Path(__file__).parent / "results" / "growth.svg"
ACCOUNTS_OF_XDRS = 1_000

Curves = dict[str, dict[int, float]]

_VALUES = "WITH RECURSIVE number (value) AS (SELECT CAST({} AS BIGINT) UNION ALL SELECT value + 1 FROM number WHERE value + 1 < {})"
_WALLETS = "INSERT INTO wallet (id, currency, balance_micros) SELECT 10000 + value, 'USD', 1000000000 FROM number"
_ACCOUNTS = """
    INSERT INTO account (id, login, customer_id, product_id, wallet_id)
    SELECT 10000 + value, 'grown' || value, ?, ?, 10000 + value FROM number
"""
# Of seven digits, 5000000 to 5999999, spread over all of them whatever their number.
_DESTINATIONS = """
    INSERT INTO destination (id, prefix)
    SELECT 10000 + value, CAST(5000000 + value * 499979 % 1000000 AS TEXT) FROM number
"""
_RATES = """
    INSERT INTO rate (tariff_id, destination_id, effective_at, first_interval_seconds, next_interval_seconds,
                      first_price_micros, next_price_micros)
    SELECT {}, 10000 + value, 0, 60, 6, 100000, 100000 FROM number
"""
_ID = {"sqlite": "substr('g0000000000000000000' || {}, -20)", "postgresql": "lpad(CAST({} AS TEXT), 20, '0')"}
_CALLBACKS = """
    INSERT INTO callback (id, kind, voice_application_id, account_id, idempotency_key, requested_at, state, ended_at, ending)
    SELECT {id}, 'extended', {application}, 10000 + value % {accounts}, 'grown' || value, value * 1000000, 'ended',
           value * 1000000 + 60000000, 'A hung up' FROM number
"""
_LEGS = """
    INSERT INTO leg (callback_id, name, cld, cli, state, pricing, placed_at, answered_at, ended_at)
    SELECT {id}, '{leg}', CAST(5000000 + value * 499979 % 1000000 AS TEXT) || '1234', '', 'ended', '{{}}', 0, 0, 60
      FROM number
"""
_XDRS = """
    INSERT INTO xdr (callback_id, leg, account_id, customer_id, cli, cld, access_code, destination, tariff, connect_time,
                     disconnect_time, bill_time, used_quantity, charged_quantity, charged_micros, currency, disconnect_cause,
                     explanation)
    SELECT {id}, '{leg}', 10000 + value % {accounts}, {customer}, '', CAST(5000000 + value * 499979 % 1000000 AS TEXT)
           || '1234', 'WEBCALLBACK', '5', 'Callback', 0, 60, value * 1000000, 60, 60, 100000, 'USD', 16, '{{}}' FROM number
"""
_LEDGER = """
    INSERT INTO ledger (event_key, wallet_id, account_id, kind, against, amount_micros, currency, balance_after_micros, xdr_id, at,
                        made_by, personal, hash)
    SELECT 'charge:' || callback_id || ':' || leg, account_id, account_id, 'charge', 'revenue', -100000, 'USD', 0, id, bill_time,
           'engine', {nothing}, {nothing} FROM xdr
""".format(nothing="'" + 64 * "0" + "'")


SIZES = {"accounts": ACCOUNTS, "xdrs": XDRS}


def run() -> Curves:
    """Build and measure all, print the tables, plot the curves; microseconds of one, by size."""
    curves: Curves = {}
    with tempfile.TemporaryDirectory() as folder, postgresql.running() as server:
        for what, sizes in SIZES.items():
            for size in sizes:
                file = f"sqlite:///{Path(folder) / what}-{size}.sqlite"
                build(what, size, file)
                measure(what, size, file, curves)
                with databases.database_of(server) as url:
                    build(what, size, url)
                    measure(what, size, url, curves)
    show(curves)
    return curves


def build(what: str, size: int, url: str) -> None:
    """An installation with so many accounts and rates, or so many xDRs."""
    with _opened(url), db.writing():
        db.migrate()
        house = rows.house(balance="1000000.00", first=60, following=6)
        rows.no_limits()
        if what == "accounts":
            _make_accounts(house, size)
            query.change(f"{_VALUES.format(0, size)} {_DESTINATIONS}")
            for tariff in (house.tariff, house.vendor_tariff):
                query.change(f"{_VALUES.format(0, size)} {_RATES.format(tariff.id)}")
        else:
            _make_accounts(house, ACCOUNTS_OF_XDRS)
            _make_xdrs(house, size)
    with _opened(url):  # what a database does of itself after so many rows, done now
        db.database.execute_sql("ANALYZE")
        db.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)" if db.dialect() == "sqlite" else "CHECKPOINT")


def measure(what: str, size: int, url: str, curves: Curves) -> None:
    """Add the points of this size to the curves of its database."""
    with _opened(url):
        house = _found()
        if what == "accounts":
            quotes, orders = _orders(house, size, "quoted"), _orders(house, size, "begun")
            _add(curves, "quote", size, [partial(reception.quote, each, rows.NOON) for each in quotes])
            _add(curves, "place and begin", size, [partial(_placed_and_begun, each) for each in orders])
        else:
            logins = (f"grown{turn * STRIDE % ACCOUNTS_OF_XDRS}" for turn in range(WARM + MEASURED))
            begun = [_placed_and_begun(_order(house, login, f"{n}")) for n, login in enumerate(logins)]
            _add(curves, "settle", size, [partial(_settle, each, house.connection.id) for each in begun])


@contextmanager
def _opened(url: str) -> Iterator[None]:
    opened = db.connect(url)
    opened.connect()
    databases.forgo_durability()
    credentials.use_key("bench")
    try:
        yield
    finally:
        opened.close()


def _found() -> rows.House:
    """The rows of `rows.house`, which made them first."""
    tables = {
        "tariff": models.Tariff, "product": models.Product, "customer": models.Customer, "account": models.Account,
        "vendor": models.Vendor, "connection": models.Connection, "application": models.VoiceApplication, "node": models.Node,
    }  # fmt: skip
    first = {name: table.select().order_by(table.id).get() for name, table in tables.items()}
    return rows.House(**first, vendor_tariff=models.Tariff.get(models.Tariff.name == "Vendor"))


def _add(curves: Curves, name: str, size: int, work: Sequence[Callable[[], object]]) -> None:
    curves.setdefault(f"{name}, {db.dialect()}", {})[size] = _each_us(work)


def _make_xdrs(house: rows.House, size: int) -> None:
    names = {"accounts": ACCOUNTS_OF_XDRS, "application": house.application.id, "customer": house.customer.id}
    values, call_id = _VALUES.format(0, size // 2), _ID[db.dialect()].format("value")
    query.change(f"{values} {_CALLBACKS.format(id=call_id, **names)}")
    for leg in "AB":
        query.change(f"{values} {_LEGS.format(id=call_id, leg=leg)}")
        query.change(f"{values} {_XDRS.format(id=call_id, leg=leg, **names)}")
    query.change(_LEDGER)


def _make_accounts(house: rows.House, size: int) -> None:
    query.change(f"{_VALUES.format(0, size)} {_WALLETS}")
    query.change(f"{_VALUES.format(0, size)} {_ACCOUNTS}", house.customer.id, house.product.id)


def _orders(house: rows.House, size: int, key: str) -> list[reception.Order]:
    return [
        _order(
            house, f"grown{turn * STRIDE % size}", f"{key}-{turn}", (turn * STRIDE % size, (turn + 1) * STRIDE % size)
        )
        for turn in range(WARM + MEASURED)
    ]


def _order(house: rows.House, login: str, key: str, destinations: tuple[int, int] | None = None) -> reception.Order:
    if destinations is None:
        return rows.order(house, key, login=login)
    a, b = (Number(f"{5_000_000 + value * STRIDE % ALL_RATES}1234", "BR", Kind.ORDINARY) for value in destinations)
    return rows.order(house, key, login=login, number_a=a, number_b=b)


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


def _each_us(work: Sequence[Callable[[], object]]) -> float:
    """Microseconds of one of MEASURED: a tenth is quicker. Who shares the machine makes it slower, never quicker."""
    for each in work[:WARM]:
        each()
    taken = []
    for each in work[WARM:]:
        start = time.perf_counter()
        each()
        taken.append(time.perf_counter() - start)
    return round(statistics.quantiles(taken, n=10)[0] * 1e6, 1)


def show(curves: Curves) -> None:
    """Print the tables, with how far each curve is from flat, and plot them."""
    for name, curve in curves.items():
        points = "".join(f"{size:12,}: {value:8.0f}" for size, value in curve.items())
        print(f"{name:28}{points}   highest / lowest {steepness(curve):.2f}")
    _plot(curves)


def steepness(curve: dict[int, float]) -> float:
    """The highest point of a curve over its lowest."""
    return max(curve.values()) / min(curve.values())


def _plot(curves: Curves) -> None:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("\nnot plotted: matplotlib is not here. `make bench` installs it, as does: pip install -e '.[bench]'")
        return
    figure = Figure(figsize=(10, 4), layout="constrained")
    authorization, settling = figure.subplots(1, 2)
    for name, curve in curves.items():
        axes = settling if name.startswith("settle") else authorization
        axes.plot(list(curve), list(curve.values()), marker="o", label=f"{name} ({steepness(curve):.2f})")
    authorization.set(title="Authorization", xlabel="accounts, and as many rates", ylabel="microseconds")
    settling.set(title="Settlement", xlabel="xDRs", ylabel="microseconds")
    for axes in (authorization, settling):
        axes.set(xscale="log", ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT)
    print(f"\nplotted as {PLOT}")
