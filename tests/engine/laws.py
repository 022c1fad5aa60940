"""What holds of every callback that has ended, whatever happened; and a world of its own for each of many."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engine.ears import HearingWorld
from tests.engine.scenes import Stage
from webcb import db, models
from webcb.billing import books, credentials

SECOND_MICROS = 10_000  # what a second of each leg costs


@contextmanager
def on_a_file(path: Path) -> Iterator[HearingWorld]:
    """A world on a database of its own: 5.00 on the account at a cent a second for either leg."""
    opened = db.connect(f"sqlite:///{path}")
    opened.connect()
    opened.execute_sql("PRAGMA synchronous = OFF")  # what a power cut would lose is not asked here
    db.migrate()
    credentials.use_key("test")
    world = HearingWorld(balance="5.00", first=1, following=1, price="0.60")
    try:
        yield world
    finally:
        world.close()
        opened.close()
        db.database.close()


def assert_laws(stage: Stage) -> None:
    """No leg is up, locks are settled once, what was placed has one xDR and an answered one its seconds, nothing is overdrawn."""
    world = stage.world
    row, legs, xdrs = (read(stage.callback_id) for read in (world.row, world.legs, world.xdrs))
    assert row.state == "ended"
    assert {leg.state for leg in legs.values()} <= {"ended"}
    assert not [phone.name for phone in (stage.a, stage.b) if phone.up]
    assert world.exchange.is_idle
    assert models.Xdr.select().count() == len(xdrs), "a leg has two xDRs"
    assert xdrs.keys() == {name for name, leg in legs.items() if leg.placed_at is not None}
    assert {name for name, xdr in xdrs.items() if xdr.connect_time} == {n for n, leg in legs.items() if leg.answered_at}
    assert all(xdr.charged_micros == xdr.used_quantity * SECOND_MICROS for xdr in xdrs.values())
    assert {wallet.locked_micros for wallet in models.Wallet.select()} == {0}
    assert {lock.state for lock in models.Lock.select()} <= {"settled", "released"}
    assert min(wallet.balance_micros + wallet.credit_limit_micros for wallet in models.Wallet.select()) >= 0, (
        "overdrawn"
    )
    assert books.differences() == []
    for phone in (stage.a, stage.b):
        assert len(phone.cseqs) == len(set(phone.cseqs)) or phone.tag > 1, "a CSeq was used twice"
