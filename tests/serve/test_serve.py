"""`webcb serve` with the real web and the real engine: what is killed comes back and answers; ended, nothing is left."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import databases
from tests.waiting import alive, descendants, wait_until
from webcb.demo.reach import pages_answer, sip_answers
from webcb.serve import CANNOT_START
from webcb.settings import Bind

HOST = "127.0.0.1"


def free_bind(kind: int) -> Bind:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        return Bind(HOST, probe.getsockname()[1])


class Service:
    """A `webcb serve` on a data folder of its own."""

    def __init__(self, folder: Path, database_url: str, pages: Bind | None = None) -> None:
        self.pages = pages or free_bind(socket.SOCK_STREAM)
        self.engine = free_bind(socket.SOCK_DGRAM)
        config = folder / "webcb.toml"
        config.write_text(
            f'data_dir = "{folder}"\ndatabase_url = "{database_url}"\n'
            f'http_bind = "{self.pages}"\nhttp_workers = 1\nsip_binds = ["{self.engine}"]\n'
        )
        self.log_path = folder / "log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBCB_")}
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "webcb.cli", "serve"],
                env=environment | {"WEBCB_CONFIG": str(config), "WEBCB_RTP_KERNEL": "off"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_it_answers(self) -> None:
        wait_until(lambda: self.process.poll() is not None or pages_answer(self.pages), "the pages answer", 60)
        wait_until(lambda: self.process.poll() is not None or sip_answers(self.engine), "the engine answers", 60)
        assert self.process.poll() is None, self.log

    def child(self, word: str) -> int:
        """The process of the child whose command has this word."""
        return self.children(word)[0]

    def children(self, word: str) -> list[int]:
        """All of them."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if word in Path(f"/proc/{pid}/cmdline").read_text()]

    @property
    def log(self) -> str:
        return self.log_path.read_text()


def kill(service: Service) -> None:
    everybody = descendants(service.process.pid)
    service.process.kill()
    service.process.wait()
    wait_until(lambda: not any(map(alive, everybody)), "nothing is left of the service")


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database for the service that tests share, of the kind that `--database` says: a node is held by one at a time."""
    if request.config.getoption("database") == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'webcb.sqlite'}"
        return
    with databases.database_of(request.getfixturevalue("postgresql_url")) as url:
        yield url


@pytest.fixture(scope="module")
def service(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("serve"), database)
    try:
        running.wait_until_it_answers()
        yield running
    finally:
        kill(running)


def test_the_engine_killed_comes_back_and_answers(service: Service) -> None:
    first = service.child("engine")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: "engine ended (by SIGKILL)" in service.log, "the death was seen")
    wait_until(lambda: sip_answers(service.engine), "the engine answers again", 60)
    assert service.child("engine") != first
    assert pages_answer(service.pages)


def test_gunicorn_killed_comes_back_and_answers(service: Service) -> None:
    first = service.child("gunicorn")
    workers = descendants(first)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: "web ended (by SIGKILL)" in service.log, "the death was seen")
    wait_until(lambda: pages_answer(service.pages), "the pages answer again", 60)
    assert not any(map(alive, workers))
    assert service.child("gunicorn") != first
    assert sip_answers(service.engine)


def test_a_reload_changes_workers_and_engines_one_after_the_other(service: Service) -> None:
    wait_until(lambda: service.log.count("stands by: another engine") > 0, "a spare engine is warm", 60)
    gunicorn, (clerk,) = service.child("gunicorn"), service.children("clerk")
    before = [*service.children("engine"), *descendants(gunicorn), clerk]
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not any(map(alive, before)), "who was there before is gone", 60)
    wait_until(lambda: len(service.children("engine")) == 2, "an engine and a spare one run", 60)
    wait_until(lambda: sip_answers(service.engine), "the engine answers again", 60)
    wait_until(lambda: pages_answer(service.pages), "the pages answer again", 60)
    assert "the next engine is there: it is handed the calls that talk" in service.log
    assert service.child("gunicorn") == gunicorn


def test_told_to_end_it_is_gone_within_10_seconds(database_url: str, tmp_path: Path) -> None:
    running = Service(tmp_path, database_url)
    try:
        running.wait_until_it_answers()
        everybody = descendants(running.process.pid)
        assert len(everybody) >= 3  # master, worker, engine
        running.process.terminate()
        assert running.process.wait(10) == 0
        assert not any(map(alive, everybody))
    finally:
        kill(running)
    assert "Traceback" not in running.log


def test_killed_it_leaves_no_stray(database_url: str, tmp_path: Path) -> None:
    running = Service(tmp_path, database_url)
    try:
        running.wait_until_it_answers()
    finally:
        kill(running)
    assert not pages_answer(running.pages)
    assert not sip_answers(running.engine)


def test_pages_that_cannot_be_served_are_said_and_nothing_is_started(database_url: str, tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        running = Service(tmp_path, database_url, Bind(HOST, taken.getsockname()[1]))
        assert running.process.wait(60) == CANNOT_START
    assert f"the pages cannot be served at {running.pages}: Address already in use" in running.log
    assert "started, process" not in running.log
