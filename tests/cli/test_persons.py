"""One person at the command line: what is kept is written to a file, then forgotten; the books are right in the end (conftest)."""

import csv
import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Types
from webcb import clock, db, models
from webcb import settings as reader
from webcb.billing import credentials
from webcb.keeping import archiving, backup, forgetting

HIM = "+5511999887766"
DIGITS = HIM[1:]


def test_a_number_is_told_and_forgotten(installed: Types) -> None:
    assert installed("never-call", "add", "+5511999887766").status == 0
    assert installed("person", "--number", "+5511999887766", "--export", "him.json").status == 0
    found = json.loads(Path("him.json").read_text())
    assert [each["number"] for each in found["never_call"]] == ["5511999887766"]
    assert Path("him.json").stat().st_mode & 0o77 == 0
    assert installed("person", "--number", "+5511999887766", "--export", "him.json").err.startswith("webcb: him.json: ")
    said = installed("erase", "--number", "+5511999887766", "--yes", "--vacuum")
    assert (said.status, said.lines[0]) == (0, "+5511999887766 is forgotten, in 0 callbacks")
    assert installed("person", "--number", "+5511999887766", "--export", "then.json").out.startswith("0 rows")


def test_an_account_is_closed_and_forgotten(installed: Types) -> None:
    said = installed("erase", "--account", "poor", "--yes")
    assert said.status == 0, said.err
    assert said.lines[1].startswith("left: its customer, ")
    assert installed("person", "--account", "poor", "--export", "poor.json").err == "webcb: there is no account poor\n"
    db.database.connect(reuse_if_open=True)
    assert models.Account.select().where(models.Account.login.startswith("erased"), models.Account.closed).count() == 1


def never_called() -> list[str]:
    with db.database.connection_context() if db.database.is_closed() else db.reading():
        return [each.number for each in models.NeverCall.select()]


@pytest.mark.sqlite_alone
def test_what_was_erased_does_not_come_back_with_a_backup(installed: Types) -> None:
    assert installed("never-call", "add", HIM).status == 0
    assert installed("backup", "before.sqlite").status == 0
    said = installed("erase", "--number", HIM, "--yes")
    assert said.lines[-1].startswith("left: backups; restored, they lose it again")
    noted = reader.load().data_dir / forgetting.LIST
    assert DIGITS not in noted.read_text()
    assert noted.stat().st_mode & 0o77 == 0
    assert installed("erase", "--account", "poor", "--yes").status == 0

    def restored(file: str) -> None:
        database = Path(reader.load().database.removeprefix("sqlite:///"))
        for part in database.parent.glob(f"{database.name}*"):
            part.unlink()
        said = installed("restore", file)
        assert said.status == 0, said.err

    restored("before.sqlite")
    assert never_called() != [], "he is not called all the same"
    assert DIGITS not in never_called()
    with db.database.connection_context():
        assert models.Account.get_or_none(login="poor") is None
    assert installed("erase", "--again").lines == ["what was erased before is erased"]

    # He comes back of his own will: what he does then is not what was erased.
    with db.database.connection_context():
        account = models.Account.select().where(~models.Account.closed).first()
        models.SavedDestination.create(account=account, name="me", digits=DIGITS)
    assert installed("backup", "after.sqlite").status == 0
    restored("after.sqlite")
    with db.database.connection_context():
        assert [each.digits for each in models.SavedDestination.select()] == [DIGITS]


def test_cards_and_archives_lose_it_too(installed: Types) -> None:
    assert installed("never-call", "add", HIM).status == 0
    chosen = reader.load()
    cards = chosen.data_dir / "cards"
    cards.mkdir(exist_ok=True)
    sheet = cards / "000001-batch.csv"
    sheet.write_text("Batch,Control Number,PIN,Web login,Password\r\nb,1,poor,poor.web,secret\r\nb,2,other,,x\r\n")
    file = Path("old.sqlite").absolute()
    at = clock.utc_now()
    with db.database.connection_context() if db.database.is_closed() else db.reading():
        pass
    source = db.open_database(chosen.database)
    db.connect(chosen.database)
    backup.make(source, file, lambda *_: None)
    source.close()
    models.Archive.create(
        before_at=at - timedelta(days=40), made_at=at, made_by="op", file=str(file), sha256=archiving.digest(file),
        file_rows=1, last_ledger_id=0, last_xdr_id=0, ended_at=at,
    )  # fmt: skip
    db.database.close()
    assert DIGITS.encode() in file.read_bytes()
    assert f"left: archive {file}, of what was before" in installed("erase", "--account", "poor", "--yes").out
    with sheet.open(newline="") as opened:
        assert list(csv.reader(opened))[1:] == [["b", "1", "erased", "erased", "erased"], ["b", "2", "other", "", "x"]]

    said = installed("erase", "--number", HIM, "--archives", "--yes")
    assert f"archive {file}: 0 callbacks, written anew" in said.lines
    assert DIGITS.encode() not in file.read_bytes()
    assert not list(file.parent.glob("*.part*"))
    file.write_bytes(file.read_bytes() + b"x")
    said = installed("erase", "--number", HIM, "--archives", "--yes")
    assert f"left: archive {file} is not what was written: its SHA-256 is another" in said.lines


def test_a_customer_is_forgotten_with_its_accounts(installed: Types) -> None:
    with db.database.connection_context():
        name = models.Account.get(login="poor").customer.name
        accounts = models.Account.select().join(models.Customer).where(models.Customer.name == name).count()
    said = installed("erase", "--customer", name, "--yes")
    assert (said.status, said.lines[0]) == (0, f"customer {name} is forgotten, in 0 callbacks"), said.err
    with db.database.connection_context():
        assert models.Customer.get_or_none(name=name) is None
        closed = models.Account.select().where(models.Account.closed, models.Account.login.startswith("erased"))
        assert closed.count() == accounts
        assert not models.Audit.select().where(models.Audit.subject.contains(name)).exists()


def test_a_customer_is_told_with_its_accounts(installed: Types) -> None:
    with db.database.connection_context():
        customer = models.Account.get(login="poor").customer
        models.Customer.update(mail="boss@example.com", web_login="boss").where(
            models.Customer.id == customer.id
        ).execute()
        hashed = credentials.hash_password("a secret of his")
        models.Account.update(web_login="poor.web", web_password=hashed).where(models.Account.login == "poor").execute()
        models.SignIn.create(at=clock.utc_now(), login="boss", source="192.0.2.7", failed=True)
        accounts = [each.login for each in models.Account.select().where(models.Account.customer == customer)]
    assert installed("person", "--customer", customer.name, "--export", "them.json").status == 0
    text = Path("them.json").read_text()
    found = json.loads(text)
    assert (found["customer"][0]["mail"], found["customer"][0]["web_login"]) == ("boss@example.com", "boss")
    assert [each["source"] for each in found["sign_in"]] == ["192.0.2.7"]
    assert sorted(each["of_account"] for each in found["account"]) == sorted(accounts)
    assert "argon2" not in text
    assert (
        installed("person", "--customer", "Nobody", "--export", "no.json").err == "webcb: there is no customer Nobody\n"
    )
