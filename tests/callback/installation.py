"""One running webcb as its operator would have it: a data directory, an engine process, sipp phones behind its carriers.

What is asserted of a callback that ended stands in outcome.py.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.callback.configuration import FUNDS_MICROS, A, B, configure, media_port, sip_port
from tests.callback.phones import Phone
from tests.callback.voice import PCMU, Timed, write_pcap, write_timed_pcap
from tests.callback.wire import Message, Wire
from webcb import clock, db, doorbell
from webcb.billing import credentials, ledger, reception
from webcb.models import Account, Callback, Connection
from webcb.number import Number
from webcb.serve import spawn
from webcb.settings import Settings, load

TOP = Path(__file__).parents[2]
SECRET_KEY = "a key of the tests alone"
DNS = 98  # the port of a name server, where a test has one
START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 5
COMMAND = [sys.executable, "-m", "webcb"]


@dataclass
class Installation:
    """Made by `make`, ended by `close`; every port it uses is one of `ports`."""

    folder: Path
    ports: range
    environment: Mapping[str, str]
    settings: Settings
    wire: Wire
    account_id: int
    funds_micros: int = FUNDS_MICROS
    phones: dict[str, Phone] = field(default_factory=dict)
    engine: subprocess.Popen[bytes] | None = None

    @classmethod
    def make(cls, folder: Path, ports: range, database_url: str = "", **settings: str) -> "Installation":
        """A configured installation on an empty database ("": SQLite in the folder), its engine not started.

        `settings` are further ones, by their names in the environment.
        """
        environment = {
            "WEBCB_DATA_DIR": str(folder / "state"),
            "WEBCB_DATABASE_URL": database_url,
            "WEBCB_SECRET_KEY": SECRET_KEY,
            "WEBCB_NODE_NAME": "test",
            "WEBCB_DNS_SERVERS": f"127.0.0.1:{ports[DNS]}",
            "WEBCB_SIP_BINDS": f"127.0.0.1:{ports[0]}",
            "WEBCB_RTP_PORT_MIN": str(ports[100]),
            "WEBCB_RTP_PORT_MAX": str(ports[-1]),
            # The witness on the loopback sees what comes in there, not what the kernel makes of it.
            "WEBCB_RTP_KERNEL": "off",
            **settings,
        }
        loaded = load(environment)
        db.connect(loaded.database)
        db.migrate()
        credentials.use_key(SECRET_KEY)
        account_id = configure(ports)
        return cls(
            folder,
            ports,
            os.environ | environment | {"PYTHONPATH": str(TOP)},
            loaded,
            Wire(ports[0], ports[-1]),
            account_id,
        )

    def close(self) -> None:
        """End what still runs, and say what the engine said: pytest shows it where the test failed."""
        for phone in self.phones.values():
            phone.kill()
        if self.engine is not None:
            self.engine.kill()
            self.engine.wait()
        self.wire.close()
        db.database.close()
        print(self.log())

    # The engine ------------------------------------------------------------------------------------------------------

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a webcb command in this installation to its end."""
        return subprocess.run(
            [*COMMAND, *words], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=30
        )

    def start_engine(self) -> None:
        """Start `webcb engine`; returns when it listens for the doorbell."""
        self.revive_engine()
        self.wire.wait(self._engine_listens, START_SECONDS_MAX, "the engine is up")

    def _engine_listens(self) -> bool:
        self._assert_engine_lives()
        return str(self.settings.doorbell) in Path("/proc/net/unix").read_text()

    def _assert_engine_lives(self) -> None:
        assert self.engine is None or self.engine.poll() is None, f"the engine ended by itself\n{self.log()}"

    def revive_engine(self) -> None:
        """Start it as whoever supervises it would: nobody waits until it is up."""
        self.engine = self.another_engine()

    def another_engine(self, *options: str) -> subprocess.Popen[bytes]:
        """An engine process, beside the one that runs where an option permits that; as `webcb serve` starts it."""
        with (self.folder / "engine.log").open("a") as log:
            command = [*COMMAND, "engine", *options]
            return spawn(command, environment=self.environment, output=log, comes_first=True)

    def stop_engine(self) -> None:
        """SIGINT: its calls are ended; it exits 0 in time."""
        assert self.engine is not None
        self.engine.send_signal(signal.SIGINT)
        assert self.engine.wait(STOP_SECONDS_MAX) == 0
        self.engine = None

    def kill_engine(self) -> None:
        """SIGKILL: it can do nothing more."""
        assert self.engine is not None
        self.engine.kill()
        self.engine.wait()
        self.engine = None

    def log(self) -> str:
        """What the engine has logged."""
        log = self.folder / "engine.log"
        return log.read_text() if log.exists() else ""

    # Phones ----------------------------------------------------------------------------------------------------------

    def phone(
        self,
        carrier: str,
        scenario: str,
        spoken: list[bytes] | None = None,
        payload_type: int = PCMU,
        calls: int = 1,
        host: str = "127.0.0.1",
        transport: str = "udp",
        pressed: list[Timed] | None = None,
        is_asked: bool = False,
        **variables: int,
    ) -> None:
        """Put a phone behind a carrier and route numbers to it; it listens before this returns.

        `spoken` are the payloads it says where its scenario speaks, `variables` those the scenario reads; it takes
        so many `calls`. `pressed` are the packets of keys that it sends instead. One that is silent so long that it is asked
        whether it is there (`is_asked`) says so.
        """
        folder = self.folder / carrier
        folder.mkdir()
        if pressed:
            write_timed_pcap(folder / "voice.pcap", pressed, payload_type)
        else:
            write_pcap(folder / "voice.pcap", spoken or [b""], payload_type)
        phone = Phone.start(
            scenario,
            sip_port(self.ports, carrier),
            media_port(self.ports, carrier),
            folder,
            calls,
            host,
            transport,
            is_asked=is_asked,
            **variables,
        )
        self.phones[carrier] = phone
        self.wire.wait(phone.is_listening, START_SECONDS_MAX, f"{scenario} listens")
        self.route(carrier)

    def route(self, carrier: str) -> None:
        """Let the carrier be chosen; without a phone only where the call never comes so far."""
        with db.writing():
            Connection.update(active=True).where(Connection.name == f"Carrier {carrier}").execute()

    def messages(self, carrier: str) -> list[Message]:
        """The SIP between the engine and a carrier."""
        return self.wire.messages(self.phones[carrier].sip_port)

    def wait_for_message(self, carrier: str, name: str) -> None:
        """Return when this request or status has been on the wire to or from the carrier."""
        self.wire.wait(lambda: any(each.name == name for each in self.messages(carrier)), 10, f"{name} at {carrier}")

    def ladder(self) -> str:
        """Everything that was said, in order of time, for the reader of a failed test."""
        lines = [
            f"{each.at:.3f} engine {'->' if each.target == phone.sip_port else '<-'} {carrier}: {each.name} ({each.method})"
            for carrier, phone in self.phones.items()
            for each in self.messages(carrier)
        ]
        return "\n".join(sorted(lines))

    # Callbacks -------------------------------------------------------------------------------------------------------

    def add_funds(self, micros: int) -> None:
        """A payment of the account."""
        wallet_id = Account.get_by_id(self.account_id).wallet_id
        ledger.post(wallet_id, self.account_id, "payment", micros, "payment:test", "test", "", clock.utc_now())
        self.funds_micros += micros

    def leave_funds(self, micros: int) -> None:
        """Charge the account until this much is left."""
        account = Account.get_by_id(self.account_id)
        less_micros = micros - self.funds_micros
        ledger.post(
            account.wallet_id, account.id, "manual charge", less_micros, "charge:test", "test", "", clock.utc_now()
        )
        self.funds_micros = micros

    def place(self, key: str = "once", number: Number = B) -> str:
        """Ask for a callback of A and B, or another number, as a page would; its id. Another key is another callback."""
        order = reception.Order(
            kind="extended",
            voice_application="-",
            login="alice",
            password=None,
            number_a=A,
            number_b=number,
            idempotency_key=key,
            requested_from="127.0.0.1",
        )
        placed = reception.place(order, clock.utc_now())
        assert isinstance(placed, reception.Placed), placed
        doorbell.ring(self.settings.doorbell)
        return placed.callback_id

    def release(self, callback_id: str) -> None:
        """The user's button on the page."""
        assert reception.ask_release(callback_id, "user", clock.utc_now())
        doorbell.ring(self.settings.doorbell)

    def wait_for_state(self, callback_id: str, state: str, seconds_max: float) -> Callback:
        """The callback's row once it is in this state."""

        def reached() -> bool:
            self._assert_engine_lives()
            return bool(Callback.get_by_id(callback_id).state == state)

        try:
            self.wire.wait(reached, seconds_max, f"state {state!r}")
        except AssertionError as late:
            stuck = Callback.get_by_id(callback_id).state
            raise AssertionError(f"{late}; it is {stuck!r}\n{self.ladder()}\n{self.log()}") from late
        return Callback.get_by_id(callback_id)


def waits_for_its_turn(pid: int) -> bool:
    """Whether an engine that stands by has read all in, and waits for the lock of the folder."""
    waiting = [line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
    return any(str(pid) in words for words in waiting)
