"""The account generator: what is made, what stands in its file, what is refused, and a run that is cut off anywhere."""

import csv
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.billing import rows
from tests.billing.rows import NOON, House
from webcb import jobs, models
from webcb.billing import batch, credentials
from webcb.models import Account, Job, Ledger

ORDER = batch.Order(
    customer="Retail",
    product="Callback services",
    batch="March",
    quantity=600,
    prefix="cb55",
    length=9,
    opening_balance_micros=5_000_000,
)
MAIL = "shop@example.com"


@pytest.fixture
def house(database: str) -> House:
    credentials.use_key("a key of the tests alone")
    return rows.house()


def make(order: batch.Order, data_dir: Path) -> Job:
    job_id = batch.ask(order, "ann", MAIL, NOON)
    work = jobs.claim("one", NOON, job_id)
    assert work is not None
    assert batch.run(work, data_dir, lambda: NOON)
    return Job.get_by_id(job_id)


def lines(job: Job, data_dir: Path) -> list[dict[str, str]]:
    with (data_dir / job.file).open(newline="") as file:
        return list(csv.DictReader(file))


def test_accounts_and_file_are_the_same(house: House, tmp_path: Path) -> None:
    order = replace(
        ORDER, requires_activation=False, self_care="auto-generated", time_zone="America/Sao_Paulo", language="pt"
    )
    job = make(order, tmp_path)
    assert (job.state, job.done, job.said) == ("done", 600, "600 accounts in batch March")
    assert job.mail_due_at == NOON
    made = list(Account.select().where(Account.job == job).order_by(Account.control_number))
    written = lines(job, tmp_path)
    assert list(written[0]) == ["Batch", "Control Number", "PIN", "Web login", "Password", "Service password"]
    assert [(each.login, each.web_login) for each in made] == [(each["PIN"], each["Web login"]) for each in written]
    assert [each["Control Number"] for each in written] == [f"{number:010d}" for number in range(1, 601)]
    assert {each["Batch"] for each in written} == {"March"}
    assert all(len(each.login) == 11 and each.login.startswith("cb55") for each in made)
    assert len({each.login for each in made}) == 600
    for account, line in list(zip(made, written, strict=True))[::200]:
        assert credentials.verify_password(account.service_password, line["Service password"])
        assert credentials.verify_password(account.web_password, line["Password"])
        assert not credentials.verify_password(account.web_password, line["Service password"])
    of_all = {(a.type, a.product.name, a.activated, a.time_zone, a.language, a.wallet.balance_micros) for a in made}
    assert of_all == {("debit", "Callback services", True, "America/Sao_Paulo", "pt", 5_000_000)}
    assert {row.made_by for row in Ledger.select().where(Ledger.account.in_([a.id for a in made]))} == {"ann"}


def test_the_file_is_its_owners_alone(house: House, tmp_path: Path) -> None:
    job = make(replace(ORDER, quantity=1), tmp_path)
    assert stat.S_IMODE((tmp_path / "cards").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / job.file).stat().st_mode) == 0o600


def test_cards_wait_for_their_activation(house: House, tmp_path: Path) -> None:
    job = make(ORDER, tmp_path)
    assert job.said == "600 accounts in batch March, to be activated by hand"
    march = models.Batch.get(name="March")
    assert Account.select().where(Account.activated).count() == 1  # the house's own
    assert batch.set_activated(march, "ann", NOON) == 600
    assert batch.set_activated(march, "ann", NOON) == 0
    assert batch.set_blocked(march, True, "ann", NOON) == 600
    assert Account.select().where(Account.blocked).count() == 600
    assert batch.set_blocked(march, False, "ann", NOON) == 600
    actions = [row.action for row in models.Audit.select().where(models.Audit.subject == "batch March")]
    assert actions == [
        "generate accounts: 600", "activate 600 accounts", "activate 0 accounts", "block 600 accounts", "unblock 600 accounts",
    ]  # fmt: skip


def test_none_can_be_used_before_the_last_is_there(house: House, tmp_path: Path) -> None:
    batch.ask(replace(ORDER, requires_activation=False), "ann", "", NOON)
    work = jobs.claim("one", NOON)
    assert work is not None
    assert not batch.run(work, tmp_path, lambda: NOON, lambda _: False)
    assert Account.select().where((Account.job == work.id) & Account.activated).count() == 0
    with pytest.raises(batch.BatchBusy):
        batch.set_activated(models.Batch.get(name="March"), "ann", NOON)


def test_a_run_that_was_given_back_is_gone_on_with(house: House, tmp_path: Path) -> None:
    job_id = batch.ask(ORDER, "ann", "", NOON)
    for done in (250, 500):
        work = jobs.claim("one", NOON)
        assert work is not None
        assert not batch.run(work, tmp_path, lambda: NOON, lambda _: False)
        assert Job.get_by_id(job_id).done == done
    work = jobs.claim("two", NOON)
    assert work is not None
    assert batch.run(work, tmp_path, lambda: NOON)
    job = Job.get_by_id(job_id)
    logins = [row.login for row in Account.select().where(Account.job == job).order_by(Account.control_number)]
    assert [line["PIN"] for line in lines(job, tmp_path)] == logins
    assert len(set(logins)) == 600


def test_who_has_lost_the_lease_changes_nothing(house: House, tmp_path: Path) -> None:
    batch.ask(ORDER, "ann", "", NOON)
    slow = jobs.claim("slow", NOON)
    assert slow is not None
    assert jobs.claim("other", NOON) is None  # it is worked at
    other = jobs.claim("other", NOON + jobs.LEASE + timedelta(seconds=1))
    assert other is not None
    with pytest.raises(jobs.LeaseLost):
        batch.run(slow, tmp_path, lambda: NOON)
    assert Account.select().where(Account.job == slow.id).count() == 0
    assert batch.run(other, tmp_path, lambda: NOON)
    assert len(lines(Job.get_by_id(other.id), tmp_path)) == 600


# A program that makes 2,000 accounts and is killed on the way, after so many chunks or at the next file system call.
RUNNER = """
import sys
from pathlib import Path
from webcb import clock, db, jobs
from webcb.billing import batch, credentials
db.connect(sys.argv[1]); credentials.use_key("a key of the tests alone")
work = jobs.claim("killed", clock.utc_now())
batch.run(work, Path(sys.argv[2]), clock.utc_now, lambda done: print(done, flush=True) or True)
"""


def test_killed_at_any_moment_it_resumes(house: House, database: str, tmp_path: Path) -> None:
    """kill -9 in the middle of chunks: the next run ends with each account once in the rows and once in the file."""
    job_id = batch.ask(replace(ORDER, quantity=2000), "ann", "", NOON)
    for chunks in (1, 2):
        Job.update(lease_until=NOON, state="running").where(Job.id == job_id).execute()
        with subprocess.Popen(
            [sys.executable, "-c", RUNNER, database, str(tmp_path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            for _ in range(chunks):
                assert process.stdout.readline()
            process.send_signal(signal.SIGKILL)
    before = Job.get_by_id(job_id).done
    assert 750 <= before < 2000
    (path,) = (tmp_path / "cards").iterdir()
    with path.open("ab") as file:  # what a chunk had written when it was cut off
        file.write(b"March,9999999999,cb550000000,,,torn")
    Job.update(lease_until=NOON).where(Job.id == job_id).execute()
    work = jobs.claim("two", NOON + timedelta(days=1))
    assert work is not None
    assert work.done == before
    assert batch.run(work, tmp_path, lambda: NOON)
    made = [row.login for row in Account.select().where(Account.job == job_id).order_by(Account.control_number)]
    assert [line["PIN"] for line in lines(Job.get_by_id(job_id), tmp_path)] == made
    assert len(set(made)) == 2000


MEASURED = """
import resource, sys, time
from pathlib import Path
from webcb import clock, db, jobs
from webcb.billing import batch, credentials
db.connect(sys.argv[1]); credentials.use_key("a key of the tests alone")
for _ in range(2):
    began = time.process_time()
    assert batch.run(jobs.claim("measured", clock.utc_now()), Path(sys.argv[2]), clock.utc_now)
    print(time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.soak
def test_a_hundred_thousand_take_a_minute_at_most_and_no_more_memory_than_a_thousand(
    house: House, database: str, tmp_path: Path
) -> None:
    order = replace(ORDER, length=10, self_care="auto-generated")
    batch.ask(replace(order, batch="small", quantity=1_000), "ann", "", NOON)
    batch.ask(replace(order, batch="large", quantity=100_000), "ann", "", NOON)
    said = subprocess.run(
        [sys.executable, "-c", MEASURED, database, str(tmp_path)], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()
    cpu_seconds, more_kib = float(said[2]), int(said[3]) - int(said[1])
    assert Account.select().count() == 101_000 + 1
    assert cpu_seconds < 60, cpu_seconds
    assert more_kib < 16 * 1024, more_kib


def test_every_id_there_is_can_be_made(house: House, tmp_path: Path) -> None:
    job = make(replace(ORDER, quantity=100, prefix="55", length=4), tmp_path)
    assert {line["PIN"] for line in lines(job, tmp_path)} == {f"55{number:02d}" for number in range(100)}
    with pytest.raises(batch.OrderRefused, match="there are 100, 100 of them in use"):
        batch.ask(replace(ORDER, batch="more", quantity=1, prefix="55", length=4), "ann", "", NOON)


def test_where_others_take_the_ids_nobody_gets_half_a_batch(house: House, tmp_path: Path) -> None:
    job_id = batch.ask(replace(ORDER, quantity=100, prefix="55", length=4), "ann", MAIL, NOON)
    for number in range(3):
        rows.account(house.customer, house.product, f"55{number:02d}")
    work = jobs.claim("one", NOON)
    assert work is not None
    assert batch.run(work, tmp_path, lambda: NOON)
    job = Job.get_by_id(job_id)
    assert (job.state, job.file) == ("failed", "")
    assert job.said == "no ID was left after 97; those made are closed. Ask for a greater length."
    assert Account.select().where((Account.job == job) & ~Account.closed).count() == 0
    assert list((tmp_path / "cards").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"customer": "Nobody"}, "customer", "there is no customer 'Nobody'"),
        ({"product": "Nothing"}, "product", "there is no product 'Nothing'"),
        ({"distributor": "Nobody"}, "distributor", "there is no distributor 'Nobody'"),
        ({"into_existing": True}, "batch", "there is no batch 'March'"),
        ({"batch": "Old"}, "batch", "there is a batch Old already: choose another name, or add to the existing one"),
        ({"batch": "Other", "into_existing": True}, "batch", "batch Other is of customer Wholesale"),
        ({"batch": ""}, "batch", "a batch has a name of 1 to 64 characters on one line"),
        ({"batch": "a\nb"}, "batch", "a batch has a name of 1 to 64 characters on one line"),
        ({"quantity": 0}, "quantity", "1 to 1,000,000 accounts at a time"),
        ({"quantity": 1_000_001}, "quantity", "1 to 1,000,000 accounts at a time"),
        ({"length": 0}, "length", "ID length: 1 to 32 digits"),
        ({"prefix": "55cb"}, "prefix", "ID prefix: write letters, then digits, as in cb or cb1818"),
        ({"opening_balance_micros": -1}, "opening_balance", "an opening balance is 0 or more"),
        ({"credit_limit_micros": 1}, "credit_limit", "a debit account has no credit limit; choose type credit"),
        ({"expires_at": NOON}, "expires_at", "the expiration date is before they could be used"),
        ({"days_after_first_use": 0}, "days_after_first_use", "1 to 36500 days, or nothing"),
    ],
)
def test_refused(house: House, change: dict[str, object], field: str, said: str) -> None:
    models.Batch.create(name="Old", customer=house.customer, created_at=NOON)
    wholesale = models.Customer.create(name="Wholesale", wallet=rows.wallet("0"))
    models.Batch.create(name="Other", customer=wholesale, created_at=NOON)
    with pytest.raises(batch.OrderRefused) as refused:
        batch.ask(replace(ORDER, **change), "ann", "", NOON)  # type: ignore[arg-type]
    assert refused.value.problems == [(field, said)]
    assert Job.select().count() == 0


def test_all_that_is_wrong_is_said_at_once(house: House) -> None:
    with pytest.raises(batch.OrderRefused) as refused:
        batch.ask(replace(ORDER, customer="x", product="y", quantity=0, length=99), "ann", "", NOON)
    assert [field for field, _ in refused.value.problems] == ["customer", "product", "quantity", "length"]


def test_the_product_has_the_customers_currency(house: House) -> None:
    models.Product.create(name="In euros", currency="EUR")
    with pytest.raises(
        batch.OrderRefused, match="product In euros is in EUR, the customer in USD; name a product in USD"
    ):
        batch.ask(replace(ORDER, product="In euros"), "ann", "", NOON)


def test_control_numbers_go_on(house: House, tmp_path: Path) -> None:
    make(replace(ORDER, quantity=10), tmp_path)
    job = make(replace(ORDER, quantity=10, into_existing=True), tmp_path)
    assert [line["Control Number"] for line in lines(job, tmp_path)] == [f"{number:010d}" for number in range(11, 21)]


def test_a_password_that_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """As slow to check as any other, and only under the key it was made with."""
    credentials.use_key("one key of sixteen letters")
    drawn = credentials.draw_password()
    assert len(drawn) == 12
    stored = credentials.hash_drawn(drawn)
    verified: list[str] = []
    verify: Callable[..., bool] = credentials._hasher.verify
    monkeypatch.setattr(
        credentials, "_hasher", type("Slow", (), {"verify": lambda _, *a: verified.append(a[0]) or verify(*a)})()
    )
    assert credentials.verify_password(stored, drawn)
    assert not credentials.verify_password(stored, drawn[:-1] + "0")
    assert len(verified) == 2
    credentials.use_key("another key of sixteen letters")
    assert not credentials.verify_password(stored, drawn)
