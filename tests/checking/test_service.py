"""The service itself: each finding wrong, on either database, and a certificate that ends."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from tests.cli.conftest import Types, installed, typed  # noqa: F401 - fixtures
from tests.engine.certificates import Authority
from webcb import clock, db, models
from webcb.billing import credentials
from webcb.checking import certificates, checkup, pages, service
from webcb.checking.finding import Finding, are_good
from webcb.engine import spool
from webcb.settings import Bind, Settings

KEY = "k" * 32


@pytest.fixture
def house(database_url: str) -> Iterator[rows.House]:
    opened = db.connect(database_url)
    opened.connect()
    db.migrate()
    credentials.use_key(KEY)
    yield rows.house()
    opened.close()


def states(found: Iterator[Finding] | list[Finding]) -> dict[str, tuple[str, str]]:
    listed = list(found)
    assert all(bool(each.mend) == (each.state != "ok") for each in listed)
    return {each.subject: (each.state, each.said) for each in listed}


def test_the_whole_as_an_object(installed: Types) -> None:  # noqa: F811
    said = installed("check", "--json", "--only", "database", "--only", "books", "--only", "carriers")
    told = json.loads(said.out)
    assert (said.status, told["good"]) == (0, True)
    assert {each["area"] for each in told["findings"]} == {"database", "books", "carriers"}
    assert set(told["findings"][0]) == {"area", "subject", "state", "said", "mend"}


def test_settings_that_cannot_be_used_are_findings_and_the_status_is_2(typed: Types) -> None:  # noqa: F811
    Path("webcb.toml").write_text('rtp_port_min = "many"\nhttp_port = 80\n')
    said = typed("check", "--json")
    assert said.status == 2
    assert [each["state"] for each in json.loads(said.out)["findings"]] == ["wrong", "wrong"]
    assert typed("check").out.splitlines()[-1] == "0 ok, 0 warnings, 2 wrong"


def test_what_is_not_there_yet_is_said_and_not_made(typed: Types) -> None:  # noqa: F811
    said = typed("check", "--only", "database", "--only", "settings")
    assert said.status == 1
    assert "wrong    secret key: there is none\n           -> run `webcb init`" in said.out
    assert f"wrong    SQLite: there is no database at {Path.cwd()}/webcb-data/webcb.sqlite\n" in said.out
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(("version", "mend"), [(99, "install the newer webcb"), (0, "run `webcb init`")])
def test_a_database_of_another_version_is_looked_at_no_further(
    house: rows.House, tmp_path: Path, version: int, mend: str
) -> None:
    with db.database.atomic() as whole:
        db.database.execute_sql(f"UPDATE schema_version SET version = {version}")
        (found,) = service.database(clock.utc_now())
        assert (found.state, found.mend) == ("wrong", mend)
        whole.rollback()
    (found,) = service.database(clock.utc_now())
    assert found.state == "ok"


def test_a_server_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    found = list(checkup.findings(Settings(data_dir=tmp_path, database_url=url), frozenset({"books"}), None))
    assert [(each.area, each.state) for each in found] == [("database", "wrong")]
    assert "does not answer" in found[0].said


def test_a_clock_that_is_not_the_servers(postgresql_database: str) -> None:
    assert [each.state for each in service.database(clock.utc_now())] == ["ok"]
    assert [each.state for each in service.database(clock.utc_now() + timedelta(seconds=5))] == ["ok", "warning"]


@pytest.fixture
def postgresql_database(migrated_postgresql: str) -> Iterator[str]:
    opened = db.connect(migrated_postgresql)
    opened.connect()
    yield migrated_postgresql
    opened.close()


def test_a_balance_that_was_changed(house: rows.House) -> None:
    assert are_good(service.money())
    models.Wallet.update(balance_micros=models.Wallet.balance_micros + 1).where(
        models.Wallet.id == house.account.wallet_id
    ).execute()
    assert not are_good(service.money())


def test_settlements_that_wait_or_could_not_be_made(tmp_path: Path) -> None:
    assert states(service.spooled(tmp_path, False)) == {"settlements on file": ("ok", "none wait")}
    spool.Spool(tmp_path / spool.FILE).keep("c", '{"callback": "c"}')
    assert states(service.spooled(tmp_path, False))["settlements on file"] == ("warning", "1 wait for the database")
    (tmp_path / service.FAULTY_FILE).write_text("{}\n{}\n")
    assert [each.state for each in service.spooled(tmp_path, True)] == ["wrong", "warning"]


def test_nodes_that_are_silent(house: rows.House) -> None:
    at = clock.utc_now()
    models.Node.delete().execute()
    assert states(service.nodes(at)) == {"engine": ("warning", "none runs: nobody is called")}
    models.Node.create(name="a", heard_at=at)
    models.Node.create(name="b", heard_at=at - timedelta(minutes=5))
    models.Node.create(name="taken down", heard_at=NOON - timedelta(days=900))
    assert {subject: state for subject, (state, _) in states(service.nodes(at)).items()} == {
        "node a": "ok",
        "node b": "warning",
        "node taken down": "ok",
    }


def test_carriers_that_are_down_or_whose_password_nobody_can_open(house: rows.House) -> None:
    at = clock.utc_now()
    models.Connection.update(active=False).execute()
    assert states(service.carriers(at)) == {"connections": ("warning", "none is active: nobody can be called")}
    (row, *_) = models.Connection.select()

    def found(**fields: object) -> tuple[str, str]:
        models.Connection.update(**fields).where(models.Connection.id == row.id).execute()
        return states(service.carriers(at))[f"connection {row.name}"]

    models.Node.update(heard_at=None).execute()
    assert found(active=True, state="down", probe_seconds=10) == ("ok", "no engine watches it")
    models.Node.update(heard_at=at).execute()
    assert found(state_at=NOON, state_reason="silence")[0] == "wrong"
    assert found(state="up", state_at=None) == ("ok", "answers OPTIONS")
    assert found(must_register=True, registration="unregistered", registration_reason="403")[0] == "wrong"
    assert found(registration="registered") == ("ok", "registered, answers OPTIONS")
    assert found(sealed_password=credentials.seal("x"))[0] == "ok"
    credentials.use_key("another" * 5)
    assert found(active=True)[0] == "wrong"
    assert found(sealed_password="", transport="tls", tls_ca_file="/nowhere.pem") == (
        "wrong",
        "/nowhere.pem: No such file or directory",
    )


def test_pages_that_are_served_by_another_program_or_by_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = Settings(http_bind=Bind("127.0.0.1", server.getsockname()[1]))

        def answer(text: bytes) -> Finding:
            def once() -> None:
                taken, _ = server.accept()
                with taken:
                    taken.recv(1000)
                    taken.sendall(text)

            thread = threading.Thread(target=once)
            thread.start()
            found = pages.finding(settings)
            thread.join()
            return found

        assert answer(b"HTTP/1.0 404 None\r\n\r\n").state == "wrong"
        assert answer(b"SSH-2.0\r\n").state == "wrong"
        assert answer(b"HTTP/1.0 503 Not\r\n\r\nno engine gives a sign of life\n").said == (
            "served, not ready: no engine gives a sign of life"
        )
        assert answer(b"HTTP/1.0 200 OK\r\n\r\nready\n").state == "ok"
    assert pages.finding(settings).said == "nobody serves them; the address is free"


@contextmanager
def switch(certificate: Path, key: Path) -> Iterator[int]:
    """Somebody who speaks TLS on a port of loopback, to one after another."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    taken, _ = server.accept()
                    with taken, made.wrap_socket(taken, server_side=True) as sealed:
                        sealed.recv(1)
                except OSError:  # a client that does not trust it; or the end
                    if server.fileno() < 0:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@pytest.mark.parametrize(("days", "state"), [(100, "ok"), (5, "warning"), (0, "wrong")])
def test_a_switchs_certificate_that_ends(house: rows.House, tmp_path: Path, days: int, state: str) -> None:
    authority = Authority(tmp_path, "ours")
    files = authority.sign("127.0.0.1", -2, days)
    models.Connection.update(active=False).execute()
    (row, *_) = models.Connection.select()
    with switch(*files) as port:
        told = {"host": "127.0.0.1", "port": port, "transport": "tls", "tls_ca_file": str(authority.file)}
        models.Connection.update(active=True, **told).where(models.Connection.id == row.id).execute()
        found = states(certificates.findings(Settings(), clock.utc_now()))
        assert found[f"certificate of {row.name}"][0] == state, found
        mine = replace(Settings(), public_url=f"https://127.0.0.1:{port}")  # whose authority no system knows
        assert states(certificates.findings(mine, clock.utc_now()))[f"certificate of {mine.public_url}"][0] == "wrong"
    silent = states(certificates.findings(Settings(), clock.utc_now()))[f"certificate of {row.name}"]
    assert silent == ("warning", f"127.0.0.1 port {port} cannot be reached: Connection refused")
    models.Connection.update(tls_certificate_file=str(files.certificate), tls_key_file=str(files.key)).execute()
    assert states(certificates.findings(Settings(), clock.utc_now()))[f"our certificate for {row.name}"][0] == state
    models.Connection.update(tls_certificate_file=str(tmp_path / "none")).execute()
    assert states(certificates.findings(Settings(), clock.utc_now()))[f"our certificate for {row.name}"][0] == "wrong"
