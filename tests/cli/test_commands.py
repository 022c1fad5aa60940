"""Every command where all is well: what it says and what it leaves behind."""

import csv
import io
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIGURATION, Types
from webcb import clock, db, models
from webcb.billing import reception, settlement
from webcb.billing.reception import Begun
from webcb.billing.settlement import LegUsage

A, B = "+1 206 555 4123", "+55 11 99988 7766"


def test_init_makes_an_installation_and_leaves_one_that_is_there(typed: Types) -> None:
    first, again = typed("init"), typed("init")
    assert first.status == again.status == 0
    assert "made, in" in first.out
    assert "schema version 1" in first.out
    assert again.out.count("there already") == 2
    assert typed("migrate").out == "schema version 1, as it was\n"


def test_a_price_before_there_is_a_voice_application_says_how_to_make_one(typed: Types) -> None:
    typed("init")
    said = typed("quote", "--account", "cb1001", "+12065554123", "+5511999887766")
    assert (said.status, said.out) == (1, "")
    assert said.err == "webcb: there is no voice application yet; `webcb apply FILE` makes what the file describes\n"


def test_config_shows_what_is_in_force_and_no_secret(typed: Types, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBCB_SECRET_KEY", "unseenunseenunseen")
    monkeypatch.setenv("WEBCB_DATABASE_URL", "postgresql://webcb:hush@db.example/webcb")
    monkeypatch.setenv("WEBCB_HTTP_BIND", "0.0.0.0:80")
    said = typed("config")
    shown = dict(line.split(" = ", 1) for line in said.lines if " = " in line)
    shown = {name.strip(): value for name, value in shown.items()}
    assert shown["http_bind"] == "0.0.0.0:80"
    assert shown["database_url"] == "postgresql://webcb:********@db.example/webcb"
    assert "hush" not in said.out
    assert "unseen" not in said.out


def test_apply_says_what_it_did_and_export_writes_it_back(installed: Types) -> None:
    again = installed("apply", str(CONFIGURATION))
    assert (again.status, again.err) == (0, "")
    assert "account: 4 left" in again.lines
    assert installed("export", "--output", "out.yaml").status == 0
    said = installed("apply", "--dry-run", "out.yaml")
    assert "tariff: 2 left" in said.lines
    assert said.lines[-1] == "A dry run: nothing was changed."


def test_apply_reads_standard_input(installed: Types, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"nodes: [{name: edge}]")))
    assert installed("apply", "-").lines == ["+ node edge", "node: 1 created"]


def test_check_says_what_it_looked_at(installed: Types) -> None:
    said = installed("check", "--only", "books")
    counted = "wallets 5, ledger rows 2, xDRs 0, locks 0, callbacks 0"
    assert said.lines == [
        f"ok       books: balances, locks, bills and both sides of the ledger agree, chains are whole: {counted}",
        "ok       book opening: -20.00 USD",
        "ok       book wallets: 20.00 USD",
        "ok       settlements on file: none wait",
        "4 ok, 0 warnings, 0 wrong",
    ]


@pytest.mark.sqlite_alone  # without capabilities, root may not enter the folder of the tests' PostgreSQL
def test_check_says_why_voice_cannot_pass_through_the_kernel(installed: Types) -> None:
    environment = dict(os.environ)  # of an installation alone: conftest.typed
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m", "webcb.cli", "check"]
    command += ["--only", "host"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert (
        "warning  voice through the kernel: not possible for who runs this:"
        " a BPF map cannot be made (CAP_BPF is needed): Operation not permitted\n"
    ) in said.stdout


def test_check_finds_a_balance_that_was_tampered_with(installed: Types) -> None:
    tamper = models.Wallet.update(balance_micros=models.Wallet.balance_micros + 1)
    with db.writing():
        tamper.where(models.Wallet.balance_micros == 10_000_000).execute()
    said = installed("check", "--only", "books")
    assert said.status == 1
    assert said.out.count("balance is not the sum of its ledger rows: 10.000001 instead of 10.00") == 2
    with db.writing():
        models.Wallet.update(balance_micros=10_000_000).where(models.Wallet.balance_micros == 10_000_001).execute()


def test_quote_says_both_prices_and_the_longest_talk(installed: Types) -> None:
    said = installed("quote", "--application", "Front page", "--account", "rich", A, B)
    assert said.lines == [
        "A  +1 206-555-4123  0.01 USD per minute",
        "   tariff Retail, prefix 1206, by the usage charge for WEBCALLBACK; there is none for WEBCALLBACK-A",
        "   1 s at 0.01 a minute, then every 1 s at 0.01 a minute",
        "   route 1: trunk, a minute costs 0.01, leaves 0.00",
        "B  +55 11 99988-7766  0.10 USD per minute",
        "   tariff Retail, prefix 55, by the usage charge for WEBCALLBACK; there is none for WEBCALLBACK-B",
        "   60 s at 0.10 a minute, then every 60 s at 0.10 a minute",
        "   route 1: trunk, a minute costs 0.01, leaves 0.09",
        "first minute  0.11 USD for both legs",
        "available     10.00 USD",
        "locked        0.11 USD when the call begins",  # a slice of a minute
        "longest talk  90:00",  # 10.00 / 0.11 = 90.9 minutes, B whole minutes: 91 would cost 9.10 + 0.91 = 10.01
    ]
    national = installed("quote", "--application", "brasil", "--account", "rich", A, "(11) 99988-7766")
    assert national.lines == said.lines
    assert models.Callback.select().count() == 0


def test_a_quote_says_what_matched_and_why_at_any_moment(installed: Types) -> None:
    """The application charges specially, leg A has a code of its own on the node, the nights are cheap, a vendor bills in euro."""
    with db.writing():
        node = models.Node.create(name="edge-1", heard_at=clock.utc_now())
        nights = models.OffPeakPeriod.create(name="Nights", definition="hr{8pm-6am}")
        holidays = models.OffPeakPeriod.create(name="Holidays", definition="md{25} mo{dec}")
        special = models.Tariff.create(
            name="Special", currency="USD", off_peak_period=nights, second_off_peak_period=holidays, free_seconds=10,
            connect_fee_micros=50_000, login_fee_micros=20_000, post_call_surcharge_ppm=25_000,
        )  # fmt: skip
        usa = models.Destination.get(prefix="1")
        models.Rate.create(
            tariff=special, destination=usa, effective_at=datetime(2026, 1, 1, tzinfo=UTC), mode="off-peak",
            first_interval_seconds=60, next_interval_seconds=6, first_price_micros=400_000, next_price_micros=300_000,
            off_peak_first_interval_seconds=30, off_peak_next_interval_seconds=1,
            off_peak_first_price_micros=200_000, off_peak_next_price_micros=100_000, formula="3xfirst@first; *x1@next",
        )  # fmt: skip
        product = models.Product.get()
        models.UsageCharge.create(product=product, node=node, access_code="WEBCALLBACK-A", tariff=special)
        models.UsageCharge.create(product=product, access_code="CALLBACK_FAIL", tariff=models.Tariff.get(name="Retail"))
        models.VoiceApplication.update(special_charge_if_leg_b_fails=True).execute()
        euro = models.Tariff.create(name="Euro", currency="EUR", applied_to="vendor")
        models.Rate.create(
            tariff=euro, destination=usa, effective_at=datetime(2026, 1, 1, tzinfo=UTC),
            first_interval_seconds=1, next_interval_seconds=1, first_price_micros=1, next_price_micros=1,
        )  # fmt: skip
        vendor = models.Vendor.create(name="Euro carrier", currency="EUR")
        models.Connection.create(name="euro", vendor=vendor, tariff=euro, host="192.0.2.9")
    at = ("--at", "2099-06-01T21:00:00Z")
    lines = installed("quote", "--account", "rich", *at, A, B).lines
    # A minute at night, 50 s of which are charged: (0.05 + 2 x 30 s at 0.20) x 1.025 = 0.25 x 1.025.
    assert lines[:11] == [
        "A  +1 206-555-4123  0.10 USD per minute",
        "   tariff Special, prefix 1, by the usage charge for WEBCALLBACK-A on edge-1",
        "   rate formula 3xfirst@first; *x1@next",
        "   off-peak where the session starts in hr{8pm-6am} or md{25} mo{dec} (UTC), as it is now",
        "   off-peak 30 s at 0.20 a minute, then every 1 s at 0.10 a minute",
        "   its own intervals and prices: 60 s at 0.40 a minute, then every 6 s at 0.30 a minute",
        "   the first 10 s are free",
        "   connect fee 0.05",
        "   surcharge of 2.5% on the whole charge",
        "   login fee 0.02 for a log-in by voice",
        "   route 1: trunk, a minute costs 0.01, leaves 0.24625",
    ]
    assert lines[11] == "   route 2: euro, its cost in USD is not known: there is no exchange rate"
    assert "   tariff Retail, prefix 55, by the usage charge for WEBCALLBACK; there is none for" in lines[13]
    assert lines[13].endswith("for WEBCALLBACK-B on edge-1, WEBCALLBACK on edge-1, WEBCALLBACK-B")
    assert lines[16:19] == [
        "A if B fails  0.01 USD per minute",
        "   tariff Retail, prefix 1206, by CALLBACK_FAIL",
        "   1 s at 0.01 a minute, then every 1 s at 0.01 a minute",
    ]
    by_day = installed("quote", "--account", "rich", "--at", "2099-06-01T12:00:00Z", A, B).lines
    assert by_day[0] == "A  +1 206-555-4123  0.30 USD per minute"
    assert by_day[3].endswith("(UTC), which it is not now")
    early = installed("quote", "--account", "rich", "--at", "2025-06-01", A, B)
    assert early.err == "webcb: refused: no rate for A, +1 206-555-4123\n"  # no price was in force yet


# Callbacks ---------------------------------------------------------------------------------------------------------------


def placed(typed: Types) -> str:
    said = typed("callback", "--account", "rich", A, B)
    assert (said.status, said.err) == (0, "")
    return said.out.strip()


def test_callback_places_one_and_hangup_asks_for_its_end(installed: Types) -> None:
    callback_id = placed(installed)
    row = models.Callback.get_by_id(callback_id)
    assert (row.state, row.account.login, row.requested_from) == ("requested", "rich", "cli")
    assert [(leg.name, leg.cld) for leg in row.legs] == [("A", "12065554123"), ("B", "5511999887766")]
    assert installed("hangup", callback_id).status == 0
    assert models.Callback.get_by_id(callback_id).release_asked_by == "operator"


def engine_carries(callback_id: str, *, answered: bool) -> None:
    """Writes what the engine would write of a callback of 61 seconds, or of one whose B is busy."""
    at = clock.utc_now()
    begun = reception.begin(callback_id, at)
    assert isinstance(begun, Begun)
    models.Callback.update(state="talking", claimed_at=at, talking_at=at if answered else None).where(
        models.Callback.id == callback_id
    ).execute()
    trunk = models.Connection.get()
    for leg in models.Leg.select().where(models.Leg.callback == callback_id):
        status = 200 if answered or leg.name == "A" else 486
        models.Attempt.create(leg=leg, position=1, connection=trunk, placed_at=at, ended_at=at, status=status)
    end = at + timedelta(seconds=61)
    usages = [
        LegUsage("A", at, end, 61_000_000, 900, 16, trunk.id),
        LegUsage(
            "B", at if answered else None, end, 61_000_000 if answered else 0, 900, 16 if answered else 17, trunk.id
        ),
    ]
    settlement.settle(callback_id, usages, "A hung up" if answered else "B busy", answered, end)


def test_callbacks_and_xdrs_list_what_happened(installed: Types) -> None:
    first = placed(installed)
    engine_carries(first, answered=True)
    second = placed(installed)
    said = installed("callbacks")
    heads, live, ended = (line.split() for line in said.lines)
    assert heads[0] == "id"
    assert (live[0], live[-1]) == (second, "requested")
    assert (ended[0], ended[-1], ended[-2], ended[-3]) == (first, "B:200", "A:200", "1:01")
    assert [line.split()[0] for line in installed("callbacks", "--live").lines] == ["id", second]
    bills = list(csv.DictReader(io.StringIO(installed("xdrs", "--account", "rich", "--csv").out)))
    # A: 61 s at 0.01, 1/1 = 0.0101666..., rounded up to 0.01017. B: 120 s at 0.10 = 0.20.
    assert [(bill["leg"], bill["used_s"], bill["charged_s"], bill["amount"]) for bill in bills] == [
        ("B", "61", "120", "0.20"),
        ("A", "61", "61", "0.01017"),
    ]
    margins = csv.DictReader(io.StringIO(installed("xdrs", "--margin", "--csv").out))
    # Each leg: 61 s at 0.01, 1/1 = 0.01017 to the vendor. B leaves 0.20 - 0.01017, A nothing.
    assert [(line["leg"], line["cost"], line["margin"], line["callback_margin"]) for line in margins] == [
        ("B", "0.01017", "0.18983", "0.18983"),
        ("A", "0.01017", "0.00", "0.18983"),
    ]
    assert installed("xdrs", "--since", "2100-01-01", "--csv").lines == [",".join(bills[0])]
    assert len(installed("xdrs", "--since", "2020-01-01T00:00:00-03:00").lines) == 3


@pytest.mark.parametrize("answered", [True, False])
def test_a_callback_is_followed_to_its_end(installed: Types, answered: bool) -> None:
    def engine() -> None:
        opened = db.database.obj
        with opened.connection_context():
            while (row := models.Callback.select().first()) is None:
                threading.Event().wait(0.05)
            engine_carries(row.id, answered=answered)

    playing = threading.Thread(target=engine)
    # The engine's thread needs the same database bound before the command opens it.
    db.database.obj.close()
    playing.start()
    said = installed("callback", "--wait", "--account", "rich", A, B)
    playing.join()
    assert said.status == (0 if answered else 1)
    assert said.lines[-3:] == (
        ["ended: A hung up", "A: 1:01 used, 1:01 charged, 0.01017 USD", "B: 1:01 used, 2:00 charged, 0.20 USD"]
        if answered
        else ["ended: B busy", "A: 1:01 used, 1:01 charged, 0.01017 USD", "B: 0:00 used, 0:00 charged, 0.00 USD"]
    )


# Lists -------------------------------------------------------------------------------------------------------------------


def test_accounts_are_listed_filtered_and_sorted(installed: Types) -> None:
    def logins(*options: str) -> list[str]:
        said = installed("accounts", "--csv", *options)
        assert said.status == 0, said.err
        return [line.split(",")[0] for line in said.lines[1:]]

    assert logins() == ["poor", "rich", "shut", "staff"]
    assert logins("--like", "s") == ["shut", "staff"]
    assert logins("--customer", "Acme") == ["staff"]
    assert logins("--state", "no funds") == ["poor"]
    assert logins("--state", "blocked") == ["shut"]
    assert logins("--sort", "available") == ["poor", "rich", "shut", "staff"]
    assert logins("--limit", "1") == ["poor"]
    staff = next(line for line in installed("accounts").lines if line.startswith("staff"))
    assert staff.split() == ["staff", "Acme", "Calls", "active", "0.00", "50.00", "0.00", "50.00", "USD"]


def test_a_credit_is_a_ledger_row_with_who_and_why(installed: Types) -> None:
    said = installed("accounts", "credit", "poor", "12.5", "--kind", "refund", "--note", "a dropped call")
    assert said.out == "account poor: balance 12.50 USD\n"
    row = models.Ledger.select().order_by(models.Ledger.id.desc()).get()
    assert (row.kind, row.amount_micros, row.note, row.account.login) == (
        "refund",
        12_500_000,
        "a dropped call",
        "poor",
    )
    assert row.made_by.startswith("cli:")
    assert installed("accounts", "credit", "staff", "1").out == "customer Acme: balance 1.00 USD\n"


def test_a_bill_says_why(installed: Types) -> None:
    callback_id = placed(installed)
    engine_carries(callback_id, answered=True)
    installed("refund", callback_id, "B", "0.05", "--note", "noise")
    assert installed("bill", callback_id).lines == [
        "A  12065554123  0.01017 USD  (tariff Retail, prefix 1206, WEBCALLBACK)",
        "   61 s used",
        "   an interval of 1 s at 0.01 a minute",
        "   60 intervals of 1 s at 0.01 a minute: 0.01",
        "   61 s charged, rounded up to 5 decimals: 0.01017 USD",
        "   the vendor charges 0.01017 USD",
        "      61 s used",
        "      an interval of 1 s at 0.01 a minute",
        "      60 intervals of 1 s at 0.01 a minute: 0.01",
        "      61 s charged, rounded up to 5 decimals: 0.01017 USD",
        "B  5511999887766  0.20 USD  (tariff Retail, prefix 55, WEBCALLBACK)",
        "   61 s used",
        "   an interval of 60 s at 0.10 a minute: 0.10",
        "   an interval of 60 s at 0.10 a minute: 0.10",
        "   120 s charged, rounded up to 5 decimals: 0.20 USD",
        "   the vendor charges 0.01017 USD",
        "      61 s used",
        "      an interval of 1 s at 0.01 a minute",
        "      60 intervals of 1 s at 0.01 a minute: 0.01",
        "      61 s charged, rounded up to 5 decimals: 0.01017 USD",
        "B  given back 0.05 USD: noise",
    ]


def test_a_charge_by_hand_may_leave_an_account_owing(installed: Types) -> None:
    said = installed("accounts", "charge", "poor", "2.5", "--note", "a new card")
    assert said.out == "account poor: balance -2.50 USD\n"
    row = models.Ledger.select().order_by(models.Ledger.id.desc()).get()
    assert (row.kind, row.against, row.amount_micros, row.note) == (
        "manual charge", "adjustments", -2_500_000, "a new card",
    )  # fmt: skip


def test_a_leg_is_given_back_and_the_ledger_tells_it(installed: Types) -> None:
    callback_id = placed(installed)
    engine_carries(callback_id, answered=True)  # B: 0.20
    assert installed("refund", callback_id, "B", "0.05", "--note", "noise").out == (
        "given back 0.05 USD; 0.15 of the charge is left\n"
    )
    assert installed("refund", callback_id, "B").out == "given back 0.15 USD; 0.00 of the charge is left\n"
    again = installed("refund", callback_id, "B")
    assert (again.status, again.err) == (1, "webcb: nothing of its charge is left to give back\n")
    more = installed("refund", callback_id, "A", "0.02")
    assert (more.status, more.out) == (1, "")
    assert more.err == "webcb: give back more than nothing, and at most what is left of the charge\n"
    bills = list(csv.DictReader(io.StringIO(installed("xdrs", "--csv").out)))
    assert sorted((bill["leg"], bill["kind"], bill["amount"]) for bill in bills) == [
        ("A", "charge", "0.01017"),
        ("B", "charge", "0.20"),
        ("B", "refund", "-0.05"),
        ("B", "refund", "-0.15"),
    ]
    rows = list(csv.DictReader(io.StringIO(installed("ledger", "--account", "rich", "--csv").out)))
    assert [(row["kind"], row["against"], row["amount"], row["callback"], row["note"]) for row in rows] == [
        ("refund", "revenue", "0.15", callback_id, ""),
        ("refund", "revenue", "0.05", callback_id, "noise"),
        ("charge", "revenue", "-0.20", callback_id, ""),
        ("charge", "revenue", "-0.01017", callback_id, ""),
        ("opening balance", "opening", rows[-1]["amount"], "", ""),
    ]
    assert installed("ledger", "--since", "2100-01-01", "--csv").lines == [",".join(rows[0])]


def test_hidden_rates_are_left_out_of_the_sheet_for_users(installed: Types) -> None:
    assert len(installed("rates", "--csv", "--tariff", "Retail").lines) == 4
    models.Rate.update(hidden=True).where(models.Rate.first_price_micros == 20_000).execute()
    assert [line.split(",")[1] for line in installed("rates", "--csv", "--tariff", "Retail", "--for-users").lines] == [
        "prefix",
        "1206",
        "55",
    ]
    assert installed("rates", "--tariff", "Retail", "--prefix", "1").lines[1].endswith("hidden")


def test_rates_are_listed(installed: Types) -> None:
    def prefixes(*options: str) -> list[str]:
        return [line.split(",")[1] for line in installed("rates", "--csv", *options).lines[1:]]

    assert prefixes() == ["1", "55", "1", "1206", "55"]
    assert prefixes("--tariff", "Retail", "--prefix", "1") == ["1", "1206"]
    assert prefixes("--number", "+12065554123") == ["1", "1206"]
    assert prefixes("--number", "442071234567") == []
    changed = CONFIGURATION.read_text().replace(
        "first_price: 0.10, next_price: 0.10", "first_price: 0.12, next_price: 0.12"
    )
    Path("changed.yaml").write_text(changed)
    assert (
        installed("apply", "changed.yaml").lines[0]
        == "~ rate 55 of Retail: first_price: 0.10 -> 0.12, next_price: 0.10 -> 0.12"
    )
    assert prefixes("--tariff", "Retail") == ["1", "1206", "55"]
    assert [
        line.split(",")[-1]
        for line in installed("rates", "--all", "--csv", "--prefix", "55", "--tariff", "Retail").lines
    ] == [
        "remark",
        "superseded",
        "",
    ]


def test_connections_are_listed_with_their_state(installed: Types) -> None:
    with db.database.connection_context():
        models.Connection.update(state="down", state_at=clock.utc_now(), state_reason="408 no answer").execute()
    (row,) = csv.DictReader(io.StringIO(installed("connections", "--csv").out))
    assert row.pop("since").startswith("20")
    assert (row["state"], row["reason"], row["transport"], row["active"]) == ("down", "408 no answer", "udp", "yes")
    assert row["address"] == "192.0.2.1"  # the port is SRV's to say
    assert (row["registration"], row["registration_since"], row["registration_reason"]) == ("none", "", "")
