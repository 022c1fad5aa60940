"""The engine as a real process on real sockets: it starts, calls, stops at SIGTERM, and comes back after kill -9."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import webcb
from tests.billing import rows
from tests.engine.certificates import Authority
from tests.engine.stream_phone import StreamPhone, server_context
from tests.engine.udp_phone import Phone, UdpPhone
from tests.ports import free_port
from webcb import clock, doorbell, models
from webcb.billing import books, credentials, reception

PATIENCE_SECONDS = 20
SECRET = "the secret of this test"


@dataclass
class Site:
    """A data directory, a database, and the engine processes that run on them."""

    folder: Path
    database_url: str
    house: rows.House
    phone: Phone
    sip_port: int
    engines: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def bell(self) -> Path:
        return self.folder / "engine.sock"

    def start(self, limited: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
        """An engine, up or ended."""
        engine = self.start_on(self.folder, limited, **environment)
        wait_until(lambda: self.bell.exists() or engine.poll() is not None)
        return engine

    def start_on(self, folder: Path, limited: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
        """An engine on a data folder, as it begins."""
        values = {
            "WEBCB_DATA_DIR": str(folder),
            "WEBCB_DATABASE_URL": self.database_url,
            "WEBCB_SIP_BINDS": f"127.0.0.1:{self.sip_port}",
            "WEBCB_SECRET_KEY": SECRET,
            "WEBCB_NODE_NAME": "one",
            "PYTHONPATH": str(Path(webcb.__file__).parent.parent),
        }
        engine = subprocess.Popen(
            [*limited, sys.executable, "-m", "webcb", "engine"],
            env=os.environ | values | environment,
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.engines.append(engine)
        return engine

    def place(self, key: str) -> str:
        callback_id = rows.place(self.house, key, clock.utc_now())
        doorbell.ring(self.bell)
        return callback_id

    def state(self, callback_id: str) -> str:
        return str(models.Callback.get_by_id(callback_id).state)


def wait_until(holds: Callable[[], bool], seconds_max: float = PATIENCE_SECONDS) -> None:
    end = time.monotonic() + seconds_max
    while not holds():  # rows are written by another process: there is nothing to wait on
        assert time.monotonic() < end
        threading.Event().wait(0.01)


@pytest.fixture
def site(database: str, tmp_path: Path) -> Iterator[Site]:
    credentials.use_key(SECRET)
    phone = UdpPhone()
    made = Site(tmp_path, database, rows.house(balance="50.00", first=1, following=1, price="0.60"), phone, free_port())
    models.Connection.update(port=phone.port).execute()
    yield made
    for engine in made.engines:
        if engine.poll() is None:
            engine.kill()
        engine.communicate()
    phone.close()


def test_a_callback_on_real_sockets_and_a_clean_end(site: Site) -> None:
    engine = site.start()
    callback_id = site.place("one")
    wait_until(lambda: site.state(callback_id) == "talking")
    site.phone.wait("ACK", 2)
    assert site.phone.methods == ["INVITE", "ACK", "INVITE", "ACK"]
    assert reception.ask_release(callback_id, "operator", clock.utc_now())
    asked = time.monotonic()
    doorbell.ring(site.bell)
    site.phone.wait("BYE", 2)
    assert time.monotonic() - asked < 0.5
    wait_until(lambda: site.state(callback_id) == "ended")
    engine.send_signal(signal.SIGTERM)
    _, said = engine.communicate(timeout=PATIENCE_SECONDS)
    assert engine.returncode == 0
    assert not site.bell.exists()
    assert not re.search("ERROR|Traceback", said), said
    assert rows.NUMBER_A.digits not in said, "numbers are masked in the log"


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_callback_over_streams_survives_a_broken_connection_and_a_kill(
    site: Site, transport: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "authority")
    context = server_context(*authority.sign("127.0.0.1")) if transport == "tls" else None
    phone = site.phone = StreamPhone(context)
    ca_file = str(authority.file) if context else ""
    models.Connection.update(port=phone.port, transport=transport, tls_ca_file=ca_file).execute()
    engine = site.start()
    first = site.place("one")
    wait_until(lambda: site.state(first) == "talking")
    phone.wait("ACK", 2)
    assert phone.methods == ["INVITE", "ACK", "INVITE", "ACK"]
    assert phone.connections == 1
    invite = phone.requests[0]
    assert invite.via.transport == transport.upper()
    assert invite.uri.endswith(f";transport={transport}")
    phone.drop()
    reception.ask_release(first, "operator", clock.utc_now())
    doorbell.ring(site.bell)
    phone.wait("BYE", 2)
    wait_until(lambda: site.state(first) == "ended")
    assert phone.connections == 2
    second = site.place("two")
    wait_until(lambda: site.state(second) == "talking")
    wait_until(lambda: all(leg.dialog for leg in models.Leg.select().where(models.Leg.callback == second)))
    engine.kill()
    engine.wait()
    site.bell.unlink()
    site.start()
    phone.wait("OPTIONS", 2)  # the dialogs go on over connections of the new engine
    reception.ask_release(second, "operator", clock.utc_now())
    doorbell.ring(site.bell)
    phone.wait("BYE", 4)
    wait_until(lambda: site.state(second) == "ended")
    phone.close()


def test_a_far_side_hangs_up_over_the_connection_we_opened(site: Site) -> None:
    phone = StreamPhone()
    models.Connection.update(port=phone.port, transport="tcp").execute()
    site.start()
    callback_id = site.place("one")
    wait_until(lambda: site.state(callback_id) == "talking")
    phone.hang_up()
    wait_until(lambda: site.state(callback_id) == "ended")
    assert models.Callback.get_by_id(callback_id).ending == "B hung up"
    phone.wait("BYE", 1)  # ours, to A
    assert phone.connections == 1
    phone.close()


def test_a_callback_to_sipp_over_tcp(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    models.Connection.update(port=port, transport="tcp").execute()
    place = ["-i", "127.0.0.1", "-p", str(port)]
    sipp = subprocess.Popen(
        ["sipp", "-sn", "uas", "-t", "t1", "-m", "2", "-nostdin", *place],
        cwd=site.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: can_connect(port))
        site.start()
        callback_id = site.place("one")
        wait_until(lambda: site.state(callback_id) == "talking")
        reception.ask_release(callback_id, "operator", clock.utc_now())
        doorbell.ring(site.bell)
        wait_until(lambda: site.state(callback_id) == "ended")
        assert models.Callback.get_by_id(callback_id).ending == "operator released"
        assert sipp.wait(PATIENCE_SECONDS) == 0  # both calls went as its scenario wants
    finally:
        sipp.kill()
        sipp.wait()


def can_connect(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_callback_over_ipv6(site: Site, transport: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    context = server_context(*authority.sign("::1")) if transport == "tls" else None
    phone = UdpPhone("::1") if transport == "udp" else StreamPhone(context, "::1")
    ca_file = str(authority.file) if context else ""
    models.Connection.update(host="::1", port=phone.port, transport=transport, tls_ca_file=ca_file).execute()
    binds = f"127.0.0.1:{site.sip_port},[::1]:{site.sip_port}"
    engine = site.start(WEBCB_SIP_BINDS=binds, WEBCB_RTP_HOSTS="::1")
    callback_id = site.place("one")
    wait_until(lambda: site.state(callback_id) == "talking")
    invite = phone.requests[0]
    assert invite.via.host == "::1"
    assert b"c=IN IP6 ::1\r\n" in invite.body
    assert f"@[::1]:{site.sip_port}" in invite.first("Contact")
    engine.send_signal(signal.SIGINT)
    phone.wait("BYE", 2)
    assert engine.wait(PATIENCE_SECONDS) == 0
    phone.close()


def test_what_is_wrong_with_a_certificate_is_on_the_attempt(site: Site, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    phone = StreamPhone(server_context(*authority.sign("sbc.example")))
    models.Connection.update(port=phone.port, transport="tls", tls_ca_file=str(authority.file)).execute()
    site.start()
    callback_id = site.place("one")
    wait_until(lambda: site.state(callback_id) == "ended")
    attempt = models.Attempt.get()
    assert attempt.status == 503
    assert attempt.reason == "its certificate: IP address mismatch, certificate is not valid for '127.0.0.1'."
    phone.close()


def test_connections_are_probed_and_their_state_is_on_the_row(site: Site, tmp_path: Path) -> None:
    other = models.Connection.get()
    other.id, other.name = None, "wrong certificate"
    phone = StreamPhone(server_context(*Authority(tmp_path, "authority").sign("127.0.0.1")))
    other.port, other.transport = phone.port, "tls"
    other.save(force_insert=True)
    models.Connection.update(probe_seconds=3600).execute()
    site.start()
    wait_until(lambda: models.Connection.select().where(models.Connection.state == "unknown").count() == 0)
    states = {row.name: (row.state, row.state_reason) for row in models.Connection.select()}
    assert states == {
        "carrier": ("up", "200 As it is"),
        "wrong certificate": ("down", "503 its certificate: unable to get local issuer certificate"),
    }
    phone.close()


def test_sigterm_leaves_who_talks_to_the_next_engine(site: Site) -> None:
    engine = site.start()
    callback_id = site.place("one")
    wait_until(lambda: site.state(callback_id) == "talking")
    site.phone.wait("ACK", 2)
    engine.send_signal(signal.SIGTERM)
    assert engine.wait(PATIENCE_SECONDS) == 0
    assert site.state(callback_id) == "talking"
    site.start()
    site.phone.wait("OPTIONS", 2)
    assert "BYE" not in site.phone.methods
    reception.ask_release(callback_id, "operator", clock.utc_now())
    doorbell.ring(site.bell)
    wait_until(lambda: site.state(callback_id) == "ended")
    assert models.Callback.get_by_id(callback_id).ending == "operator released"
    assert books.differences() == []


def test_sigint_ends_what_talks_and_settles_it_within_five_seconds(site: Site) -> None:
    engine = site.start()
    callback_id = site.place("one")
    wait_until(lambda: site.state(callback_id) == "talking")
    asked = time.monotonic()
    engine.send_signal(signal.SIGINT)
    assert engine.wait(PATIENCE_SECONDS) == 0
    assert time.monotonic() - asked < 5
    row = models.Callback.get_by_id(callback_id)
    assert (row.state, row.ending) == ("ended", "engine stopped")
    assert {xdr.used_quantity for xdr in models.Xdr.select()} == {1}
    assert site.phone.methods.count("BYE") == 2


def test_sigterm_while_a_rings_cancels(site: Site) -> None:
    site.phone.answers = False
    engine = site.start()
    callback_id = site.place("one")
    wait_until(lambda: site.state(callback_id) == "calling A")
    site.phone.wait("INVITE", 1)
    engine.send_signal(signal.SIGTERM)
    assert engine.wait(PATIENCE_SECONDS) == 0
    assert site.phone.methods == ["INVITE", "CANCEL", "ACK"]
    assert site.state(callback_id) == "ended"


def test_after_kill_9_the_next_engine_goes_on_and_charges_the_whole_call(site: Site) -> None:
    engine = site.start()
    callback_id = site.place("one")
    wait_until(lambda: site.state(callback_id) == "talking")
    wait_until(lambda: all(leg.dialog for leg in models.Leg.select()))
    engine.kill()
    engine.wait()
    site.bell.unlink()
    site.start()
    site.phone.wait("OPTIONS", 2)
    assert site.state(callback_id) == "talking"
    assert "BYE" not in site.phone.methods
    reception.ask_release(callback_id, "operator", clock.utc_now())
    doorbell.ring(site.bell)
    site.phone.wait("BYE", 2)
    wait_until(lambda: site.state(callback_id) == "ended")
    assert models.Callback.get_by_id(callback_id).ending == "operator released"
    assert models.Xdr.select().count() == 2
    assert models.Lock.get().state == "settled"
    assert books.differences() == []


def test_a_second_engine_on_the_same_folder_is_refused(site: Site) -> None:
    site.start()
    second = site.start(WEBCB_SIP_BINDS=f"127.0.0.1:{free_port()}")
    _, said = second.communicate(timeout=PATIENCE_SECONDS)
    assert second.returncode == 2, said
    assert "another engine runs on" in said


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, r"SIP address 127\.0\.0\.1:\d+ \(UDP\): Address already in use\. Choose another with WEBCB_SIP_BINDS"),
        ({"WEBCB_RTP_HOSTS": "192.0.2.1", "WEBCB_SIP_BINDS": ""}, r"RTP on 192\.0\.2\.1.*WEBCB_RTP_HOSTS"),
    ],
)
def test_what_cannot_be_bound_is_one_clear_line(site: Site, environment: dict[str, str], said: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", site.sip_port))
        if "WEBCB_SIP_BINDS" in environment:
            environment = environment | {"WEBCB_SIP_BINDS": f"127.0.0.1:{free_port()}"}
        engine = site.start(**environment)
        _, told = engine.communicate(timeout=PATIENCE_SECONDS)
    assert engine.returncode == 2, told
    (line,) = told.splitlines()
    assert re.search(said, line), line


@pytest.mark.parametrize("descriptors", [20, 64, 67])
def test_with_descriptors_for_no_callback_it_does_not_start(site: Site, descriptors: int) -> None:
    """So nobody is called whose other leg could not be."""
    engine = site.start(limited=("prlimit", f"--nofile={descriptors}:{descriptors}"))
    _, told = engine.communicate(timeout=PATIENCE_SECONDS)
    assert engine.returncode == 2, told
    assert told.splitlines()[-1] == (
        f"webcb engine: {descriptors} descriptors (ulimit -n) are not enough: the engine needs 64, a callback 4 more"
    )
