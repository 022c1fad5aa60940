"""Who was erased is erased in archives, with all that is kept of a call, and on every host that shares the database."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.billing import rows
from tests.billing.rows import NOON, NUMBER_A, NUMBER_B
from tests.keeping.test_archive import TODAY, begin, ids_of, in_file, steps
from tests.keeping.test_archive import house as house
from webcb import clock, models
from webcb.billing import books, credentials
from webcb.clerk.runner import SHARE_SECONDS, Clerk
from webcb.keeping import archiving, forgetting
from webcb.settings import Settings

A, B = NUMBER_A.digits, NUMBER_B.digits
SECRET_KEY = "0" * 64
Bill = tuple[object, ...]


@pytest.fixture(autouse=True)
def key() -> None:
    credentials.use_key(SECRET_KEY)


def bills() -> list[Bill]:
    of = models.Xdr
    columns = (of.id, of.leg, of.destination, of.charged_micros, of.used_quantity, of.connect_time, of.bill_time)
    return list(of.select(*columns).order_by(of.id).tuples())


def trace(callback_id: str) -> None:
    """What is kept of how a call went on the wire, with the number of A in all of it."""
    leg = models.Leg.get((models.Leg.callback == callback_id) & (models.Leg.name == "A"))
    models.Leg.update(dialog=f'{{"to": "sip:{A}@192.0.2.1"}}', invite=A).where(models.Leg.id == leg.id).execute()
    connection = models.Connection.get()
    models.Attempt.create(leg=leg, position=9, connection=connection, placed_at=NOON, status=404, reason=f"no {A}")
    models.Message.create(
        callback=callback_id, position=1, leg="A", at=NOON, sent=True, local_host="127.0.0.1", local_port=1, remote_host="127.0.0.1",
        remote_port=2, transport="udp", octets=9, text=f"INVITE sip:{A}@192.0.2.1 SIP/2.0",
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "word"), [("number", A), ("account", "cb1001"), ("customer", "Retail")])
def test_an_archive_of_calls_loses_the_person_and_keeps_its_bills(
    house: rows.House, tmp_path: Path, kind: forgetting.Kind, word: str
) -> None:
    for number in range(3):
        trace(ids_of(f"old {number}")[0])
    begin(tmp_path)
    steps()
    file = tmp_path / "old.sqlite"
    before = in_file(file, bills)
    here = bills()
    assert len(before) > len(here), "the archive alone has the bills of most of them"
    assert A.encode() in file.read_bytes()
    forgetting.forget(kind, word, tmp_path, "op", TODAY)
    (said,) = forgetting.forget_in_archives(kind, word, "op", TODAY)
    assert said == f"archive {file}: 7 callbacks, written anew"
    octets = file.read_bytes()
    gone = {"number": [A], "account": [A, B, "cb1001"], "customer": [A, B, "cb1001", "Retail"]}[kind]
    assert [each for each in gone if each.encode() in octets] == []
    assert (B.encode() in octets) is (kind == "number"), "whom he called is somebody else"
    assert in_file(file, bills) == before
    assert in_file(file, books.differences) == []
    assert (bills(), books.differences()) == (here, [])
    assert models.Archive.get().sha256 == archiving.digest(file)
    assert not list(tmp_path.glob("*.part*"))


def test_what_was_erased_on_one_host_is_erased_on_all(
    house: rows.House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hosts, one database: a backup of before comes back on a host that has seen no erasure; the other one's clerk sees to it."""
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    hosts = [tmp_path / name for name in ("one", "two")]
    for each in hosts:
        each.mkdir()
    clerks = [Clerk(Settings(data_dir=each, secret_key=SECRET_KEY), lambda: True) for each in hosts]
    mine = {"account": house.account, "name": "me", "digits": A}

    def saved() -> int:
        return models.SavedDestination.select().where(models.SavedDestination.digits == A).count()

    models.SavedDestination.create(**mine)
    forgetting.forget("number", A, hosts[0], "op", TODAY)
    assert saved() == 0
    models.Erasure.delete().execute()  # what a backup of before brings back: him, and nothing of his erasure
    models.SavedDestination.create(**mine)
    clerks[1].work()
    assert saved() == 1, "this host knows nothing of it"
    clerks[0].work()
    assert saved() == 0
    now[0] += SHARE_SECONDS
    clerks[1].work()
    lists = [(each / forgetting.LIST).read_text() for each in hosts]
    assert lists[0] == lists[1] != ""
    assert (hosts[1] / forgetting.LIST).stat().st_mode & 0o77 == 0
    assert A not in lists[0]

    models.Erasure.delete().execute()
    models.SavedDestination.create(**mine)
    now[0] += SHARE_SECONDS
    clerks[1].work()
    assert saved() == 0, "by now it knows it, whatever became of the other host"
    models.SavedDestination.create(**mine)
    for each in clerks * 2:
        now[0] += SHARE_SECONDS
        each.work()
    assert saved() == 1, "he came back of his own will"
    assert models.Erasure.select().count() == 1


def test_a_call_that_goes_on_is_erased_once_it_has_ended(
    house: rows.House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clerk = Clerk(Settings(data_dir=tmp_path, secret_key=SECRET_KEY), lambda: True)
    forgetting.forget("number", A, tmp_path, "op", TODAY)
    models.Erasure.delete().execute()
    going = rows.place(house, "going", TODAY)
    clerk.work()
    assert f"callback {going} goes on" in caplog.text
    models.Callback.update(state="ended", ended_at=TODAY + timedelta(seconds=1), ending="expired").where(
        models.Callback.id == going
    ).execute()
    assert forgetting.share(tmp_path, "clerk") == []
    assert not models.Leg.select().where(models.Leg.cld == A).exists()
