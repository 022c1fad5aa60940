"""The carrier as a process, called by sipp, which knows nothing of our code; softphones behind it are sipp as well."""

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.waiting import wait_until
from webcb.demo.phones import BUSY, SPEAKS
from webcb.demo.softphone import SoftphoneProblem, reachable_host, read_softphone

HOST = "127.0.0.1"


@contextlib.contextmanager
def carrier(folder: Path, *arguments: str) -> Iterator[tuple[int, Path]]:
    """The port of a carrier that answers, and what it tells."""
    port, told = free_port(), folder / "told"
    with told.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "webcb.demo.carrier", "--port", str(port), *arguments], stdout=output, stderr=output
        )
    try:
        wait_until(lambda: answers_options(port), "the carrier answers")
        yield port, told
        process.terminate()
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait()


def answers_options(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.2)
        asker.connect((HOST, port))
        own = asker.getsockname()[1]
        text = (
            f"OPTIONS sip:{HOST}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{own};branch=z9hG4bKx{own};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:test@{HOST}>;tag=1\r\nTo: <sip:{HOST}>\r\nCall-ID: {own}\r\n"
            f"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
        try:
            asker.send(text.encode())
            return asker.recv(2000).startswith(b"SIP/2.0 200")
        except OSError:
            return False


def sipp(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["sipp", "-nostdin", "-i", HOST, *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def ended(process: subprocess.Popen[bytes]) -> int:
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (0, 1), errors
    return process.returncode


def test_sipp_calls_the_phone_that_speaks_and_hangs_up(tmp_path: Path) -> None:
    with carrier(tmp_path) as (port, told):
        call = ("-sn", "uac", "-s", SPEAKS.number, "-m", "3", "-d", "200", "-p", str(free_port()), f"{HOST}:{port}")
        assert ended(sipp(tmp_path, *call)) == 0
        wait_until(lambda: told.read_text().count("was hung up on") == 3, "three calls were told to their end")
        assert told.read_text().count("+1 206-555-0100 answers") == 3


def test_sipp_finds_the_busy_phone_busy(tmp_path: Path) -> None:
    with carrier(tmp_path) as (port, told):
        call = ("-sn", "uac", "-s", BUSY.number, "-m", "1", "-p", str(free_port()), f"{HOST}:{port}")
        assert ended(sipp(tmp_path, *call)) == 1  # it expected an answer
        wait_until(lambda: "+1 206-555-0103 refuses: 486 Busy Here" in told.read_text(), "the refusal is told")


def test_a_softphone_stands_in_for_a_number(tmp_path: Path) -> None:
    """sipp calls a number of the table; the phone that answers is another sipp, addressed by its own name."""
    softphone = free_port()
    answering = sipp(tmp_path, "-sn", "uas", "-m", "1", "-p", str(softphone), "-trace_msg", "-message_file", "heard")
    try:
        with carrier(tmp_path, "--phone", f"+{SPEAKS.number}=sip:me@{HOST}:{softphone}") as (port, told):
            call = ("-sn", "uac", "-s", SPEAKS.number, "-m", "1", "-d", "100", "-p", str(free_port()))
            assert ended(sipp(tmp_path, *call, f"{HOST}:{port}")) == 0
            assert ended(answering) == 0
            wait_until(lambda: f"is called at sip:me@{HOST}:{softphone}" in told.read_text(), "the call is told")
    finally:
        answering.kill()
        answering.communicate()
    heard = (tmp_path / "heard").read_text()
    assert f"INVITE sip:me@{HOST}:{softphone} SIP/2.0" in heard
    assert "Max-Forwards: 69" in heard


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, 0))
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "webcb.demo.carrier", "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.returncode == 2
    assert f"{HOST}:{port}" in done.stderr
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_ends_it_properly(tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "webcb.demo.carrier", "--port", str(port)])
    wait_until(lambda: answers_options(port), "the carrier answers")
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 0


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("+12065550100", "write number=URI"),
        ("=sip:me@127.0.0.1", "Enter a telephone number"),
        ("12=sip:me@127.0.0.1", "few or too many digits"),
        ("+12065550100=me@127.0.0.1", "scheme"),
        ("+12065550100=tel:12065550100", "neither sip nor sips"),
        ("+12065550100=sip:me@127.0.0.1;transport=tcp", "UDP only"),
        ("+12065550100=sip:me@no-such-host.invalid", "no-such-host.invalid"),
    ],
)
def test_what_names_no_softphone_is_refused_in_words(typed: str, said: str) -> None:
    with pytest.raises(SoftphoneProblem) as wrong:
        read_softphone(typed)
    assert said in str(wrong.value)


def test_a_softphone_is_its_number_its_uri_and_where_that_is() -> None:
    softphone = read_softphone("(206) 555-0100=sip:me@localhost:5062")
    assert (softphone.number, softphone.uri) == ("12065550100", "sip:me@localhost:5062")
    assert (softphone.address.host, softphone.address.port) in [("127.0.0.1", 5062), ("::1", 5062)]


def test_softphones_on_loopback_are_reached_from_loopback() -> None:
    assert reachable_host([]) == HOST
    assert reachable_host([read_softphone("+12065550100=sip:me@127.0.0.1")]) == HOST


def test_a_softphone_elsewhere_is_reached_from_an_address_it_can_answer_to() -> None:
    """Where this machine has a way out, that way's address; where it has none, that is said."""
    afar = read_softphone("+12065550100=sip:me@198.51.100.7")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.7", 5060))
        except OSError:
            with pytest.raises(SoftphoneProblem, match=r"198\.51\.100\.7"):
                reachable_host([afar])
            return
        assert reachable_host([read_softphone("+12065550101=sip:me@127.0.0.1"), afar]) == probe.getsockname()[0]
