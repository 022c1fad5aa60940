"""One person is forgotten: the number is in no row and no page of the file, the books are right, and nothing else changed."""

from datetime import timedelta
from pathlib import Path

import pytest
from peewee import DatabaseError

from tests.billing import rows
from tests.billing.rows import NOON, NUMBER_A, NUMBER_B
from webcb import db, models
from webcb.billing import books, credentials, erasure, ledger, never, personal, reception, settlement, tally, trusted
from webcb.billing.authorization import Reason, Refusal
from webcb.billing.erasure import ErasureProblem
from webcb.billing.settlement import LegUsage

DAY = timedelta(days=1)
A, B = NUMBER_A.digits, NUMBER_B.digits
OTHER = rows.number("+5511999887700")


@pytest.fixture(autouse=True)
def key() -> None:
    credentials.use_key("0" * 64)


def talk(house: rows.House, key: str, number_a=NUMBER_A, at=NOON) -> str:
    """A callback of a minute, with all that is kept of one."""
    callback_id = rows.place(house, key, at, number_a=number_a)
    assert isinstance(reception.begin(callback_id, at), reception.Begun)
    usages = [LegUsage(leg, at, at + timedelta(minutes=1), 60_000_000, 100, 16, None) for leg in ("A", "B")]  # type: ignore[arg-type]
    settlement.settle(callback_id, usages, "A hung up", b_answered=True, at=at + timedelta(minutes=1))
    digits = number_a.digits
    leg = models.Leg.get((models.Leg.callback == callback_id) & (models.Leg.name == "A"))
    models.Leg.update(dialog=f'{{"to": "sip:{digits}@192.0.2.1"}}', invite=digits).where(
        models.Leg.id == leg.id
    ).execute()
    models.Attempt.create(
        leg=leg, position=1, connection=models.Connection.get(), placed_at=at, status=404, reason=f"no {digits}"
    )
    models.Message.create(
        callback=callback_id, position=1, leg="A", at=at, sent=True, local_host="127.0.0.1", local_port=1, remote_host="127.0.0.1",
        remote_port=2, transport="udp", octets=9, text=f"INVITE sip:{digits}@192.0.2.1 SIP/2.0",
    )  # fmt: skip
    return callback_id


def fill(house: rows.House) -> str:
    """Two callbacks of A, one of another, and A's number wherever it may stand."""
    first = talk(house, "one")
    talk(house, "other", OTHER, NOON + DAY)
    talk(house, "two", at=NOON + 2 * DAY)
    trusted.trust(house.account.id, house.account.login, A, "op", NOON)
    models.SavedDestination.create(account=house.account, name="me", digits=A)
    models.PhoneProof.create(callback=first, account=house.account, digits=A, asked_at=NOON)
    never.add(A, "op", NOON)
    with db.writing():
        tally.take([tally.Ask(f"ask - a {A}", 5)], timedelta(minutes=1), NOON)
    ledger.post(
        house.account.wallet_id,
        house.account.id,
        "manual credit",
        1_000,
        f"said by {A}",
        f"owner:{A}",
        f"for {A}",
        NOON,
    )
    return first


def everything() -> str:
    """All that stands in all rows."""
    return "\n".join(str(value) for table in models.ALL_TABLES for row in table.select().tuples() for value in row)


def bills() -> list[tuple[object, ...]]:
    of = models.Xdr
    columns = (of.id, of.leg, of.destination, of.charged_micros, of.used_quantity, of.connect_time, of.bill_time)
    return list(of.select(*columns).order_by(of.id).tuples())


@pytest.mark.usefixtures("either_database")
def test_a_number_is_nowhere_and_the_books_are_right() -> None:
    house = rows.house()
    fill(house)
    before, balance = bills(), models.Wallet.get_by_id(house.account.wallet_id).balance_micros
    assert A in everything()
    done = erasure.erase_number(A, "op", NOON + 3 * DAY)
    assert (done.callbacks, done.left) == (2, ())
    assert A not in everything()
    assert (B in everything(), OTHER.digits in everything()) == (True, True), "others are as they were"
    assert (bills(), models.Wallet.get_by_id(house.account.wallet_id).balance_micros) == (before, balance)
    assert books.differences() == []
    assert {xdr.cld for xdr in models.Xdr.select().where(models.Xdr.leg == "A")} == {"x" * len(A), OTHER.digits}
    assert personal.of_number(A) == {}
    assert reception.place(rows.order(house, "new"), NOON + 4 * DAY) == Refusal(Reason.NEVER_CALL, "A"), (
        "that is remembered"
    )
    assert erasure.erase_number(A, "op", NOON + 3 * DAY).callbacks == 0


@pytest.mark.usefixtures("either_database")
def test_an_account_is_forgotten_with_all_it_called() -> None:
    house = rows.house(web_login="alice", mail="alice@example.com")
    fill(house)
    with pytest.raises(LookupError):
        erasure.erase_account("nobody", "op", NOON)
    going = rows.place(house, "going", NOON + 3 * DAY, number_a=OTHER)
    with pytest.raises(ErasureProblem, match=going):
        erasure.erase_account("cb1001", "op", NOON)
    settlement.settle(going, (), "expired", b_answered=False, at=NOON + 3 * DAY)
    found = personal.of_account("cb1001")
    assert {"account", "leg", "xdr", "ledger", "message", "trusted_number"} <= found.keys()
    assert b"argon2" not in personal.printed(found)
    done = erasure.erase_account("cb1001", "op", NOON + 4 * DAY)
    assert (done.callbacks, done.left) == (4, ("its customer, Retail, is as it was",))
    left = everything()
    assert [word for word in ("cb1001", "alice", B, OTHER.digits) if word in left] == []
    account = models.Account.get_by_id(house.account.id)
    assert (account.login, account.closed, account.mail) == (f"erased{account.id}", True, "")
    assert books.differences() == []


@pytest.mark.sqlite_alone
def test_no_page_of_the_file_has_the_number(database: object) -> None:
    house = rows.house()
    fill(house)
    db.database.execute_sql("PRAGMA secure_delete = ON")
    erasure.erase_number(A, "op", NOON + 3 * DAY)
    db.database.execute_sql("VACUUM")
    db.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    file = Path(db.database.database)
    assert A.encode() not in b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))
    assert B.encode() in file.read_bytes()


@pytest.mark.usefixtures("either_database")
def test_the_guessed_number_is_not_proven_by_what_is_left() -> None:
    """Whoever has the file could try all numbers: without the salt none of them makes the digest."""
    house = rows.house()
    fill(house)
    row = models.Ledger.get(models.Ledger.kind == "charge")
    assert row.salt
    erasure.erase_number(A, "op", NOON + 3 * DAY)
    after = models.Ledger.get_by_id(row.id)
    assert (after.salt, after.personal, after.hash) == ("", row.personal, row.hash)


@pytest.mark.usefixtures("either_database")
def test_nothing_else_of_a_bill_changes_by_any_hand() -> None:
    house = rows.house()
    fill(house)
    for table in (models.Xdr, models.Ledger, models.Audit):
        name = table._meta.table_name  # type: ignore[attr-defined]
        for field in table._meta.sorted_fields:  # type: ignore[attr-defined]
            column = field.column_name
            other = "'xx'" if isinstance(field, models.TextField) else f"COALESCE({column}, 0) + 1"
            if type(field).__name__ == "BooleanField":
                other = f"NOT {column}"
            with pytest.raises(DatabaseError):
                db.database.execute_sql(f"UPDATE {name} SET {column} = {other}")
    with pytest.raises(DatabaseError):
        db.database.execute_sql(f"UPDATE xdr SET cld = '{OTHER.digits}' WHERE cld = '{A}'")
    with pytest.raises(DatabaseError):
        db.database.execute_sql("UPDATE ledger SET salt = ''")
    assert books.differences() == []


@pytest.mark.usefixtures("either_database")
def test_what_is_old_is_masked_in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    house = rows.house()
    fill(house)
    monkeypatch.setattr(erasure, "CALLBACKS_AT_ONCE", 1)
    before = NOON + timedelta(days=1, hours=1)
    assert [erasure.mask_older(before) for _ in range(3)] == [1, 1, 0]
    young = [leg.cld for leg in models.Leg.select() if leg.cld.isdigit()]
    assert sorted(young) == sorted([A, B])
    assert books.differences() == []
    assert erasure.mask_older(NOON + 3 * DAY) == 1
    assert {leg.cld.strip("x") for leg in models.Leg.select()} == {""}
