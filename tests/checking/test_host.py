"""What the host gives: each finding as it should be, and wrong."""

import fcntl
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import ports
from webcb.checking import host
from webcb.checking.finding import Finding
from webcb.engine.transport import SOCKET_BUFFER_BYTES
from webcb.settings import Bind, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with ports.free_ports() as free:
        low = free[ports.CLAIM + 1]
        yield Settings(data_dir=tmp_path, rtp_port_min=low, rtp_port_max=low + 19, sip_binds=(Bind("127.0.0.1", 1),))


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """What a kernel tells of itself."""
    folder = tmp_path / "proc"
    for name, text in {
        "sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
        "sys/net/ipv4/ip_local_reserved_ports": "\n",
        "sys/net/core/rmem_max": f"{SOCKET_BUFFER_BYTES}\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def of(found: Finding) -> tuple[str, str]:
    assert bool(found.mend) == (found.state != "ok"), found
    return found.state, found.said


def test_a_data_folder_is_there_and_ours_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert of(host.data_folder(tmp_path)) == ("ok", "is ours alone")
    tmp_path.chmod(0o755)
    assert of(host.data_folder(tmp_path))[0] == "warning"
    assert of(host.data_folder(tmp_path / "none")) == ("wrong", "is not there")


@pytest.mark.parametrize(("mib", "state"), [(50, "wrong"), (500, "warning"), (5000, "ok")])
def test_a_full_disk_is_told_before_it_is_full(mib: int, state: str, tmp_path: Path) -> None:
    assert host.disk_room(tmp_path, mib << 20).state == state
    assert of(host.disk(tmp_path / "not made yet"))[1].endswith(" MiB free")


def test_a_sip_address_that_somebody_has_or_that_is_not_ours(settings: Settings) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        mine = replace(settings, sip_binds=(Bind("127.0.0.1", taken.getsockname()[1]), Bind("192.0.2.1", 5060)))
        used, strange = host.signalling_ports(mine, None)
        assert of(used) == ("wrong", "Address already in use")
        assert of(strange) == ("wrong", "Cannot assign requested address")
        assert [of(each)[0] for each in host.signalling_ports(mine, 1)] == ["ok", "ok"]
    assert of(next(host.signalling_ports(mine, None))) == ("ok", "free")


def test_a_sip_address_that_the_engine_of_another_container_has(settings: Settings) -> None:
    lock = settings.data_dir / host.LOCK_FILE
    lock.write_text("7")  # as it is numbered there
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken, lock.open() as held:
        taken.bind(("127.0.0.1", 0))
        mine = replace(settings, sip_binds=(Bind("127.0.0.1", taken.getsockname()[1]),))
        assert of(next(host.signalling_ports(mine, None)))[0] == "wrong"
        fcntl.flock(held, fcntl.LOCK_EX)
        assert of(next(host.signalling_ports(mine, None))) == ("ok", "in use by our engine, in another container")


def test_rtp_ports_that_others_have(settings: Settings) -> None:
    assert of(host.voice_ports(settings, None)) == ("ok", "free; enough for 5 callbacks")
    assert of(host.voice_ports(replace(settings, rtp_hosts=("192.0.2.1",)), None))[0] == "wrong"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", settings.rtp_port_min + 3))
        said = f"1 are taken by others: {settings.rtp_port_min + 3}"
        assert of(host.voice_ports(settings, None)) == ("warning", said)
        alone = replace(settings, rtp_port_min=settings.rtp_port_min + 3, rtp_port_max=settings.rtp_port_min + 3)
        assert of(host.voice_ports(alone, None)) == ("wrong", "all are taken")


def test_ports_that_the_kernel_may_hand_to_anybody(settings: Settings, proc: Path) -> None:
    assert host.own_port_range(settings, proc).state == "ok"
    shared = replace(settings, rtp_port_min=40000, rtp_port_max=40009)
    found = host.own_port_range(shared, proc)
    assert of(found) == ("warning", "32768-60999: 10 of ours are among them, and may be gone when they are needed")
    assert "ip_local_reserved_ports=40000-40009 " in found.mend
    (proc / "sys/net/ipv4/ip_local_reserved_ports").write_text("8080,40000-40008\n")
    assert "ip_local_reserved_ports=40009 " in host.own_port_range(shared, proc).mend
    (proc / "sys/net/ipv4/ip_local_reserved_ports").write_text("39000-41000\n")
    assert host.own_port_range(shared, proc).state == "ok"


def test_descriptors_are_those_of_who_asks_or_of_the_engine_that_runs(settings: Settings, proc: Path) -> None:
    assert of(host.descriptors(settings, None))[0] == "ok"
    few = "import sys; from pathlib import Path; from webcb.checking import host; from webcb.settings import Settings;"
    few += "print(host.descriptors(Settings(), None).state)"

    def state(limit: int) -> str:
        def lower() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

        return subprocess.run(
            [sys.executable, "-c", few], preexec_fn=lower, capture_output=True, text=True, check=True
        ).stdout.strip()

    assert state(1024) == "warning"
    (proc / "7").mkdir()
    limits = "Limit                     Soft Limit           Hard Limit           Units     \n"
    (proc / "7/limits").write_text(
        f"{limits}Max open files            1024                 66                   files     \n"
    )
    assert of(host.descriptors(settings, 7, proc)) == ("wrong", "66 of the engine, enough for 0 callbacks")
    (proc / "7/limits").write_text(
        f"{limits}Max open files            1024                 unlimited            files     \n"
    )
    assert of(host.descriptors(settings, 7, proc)) == ("ok", "no limit of the engine")


def test_buffers_that_are_too_small_for_a_burst(proc: Path) -> None:
    assert of(host.buffers(proc))[0] == "ok"
    (proc / "sys/net/core/wmem_max").write_text("212992\n")
    found = host.buffers(proc)
    assert of(found) == ("warning", "208 KiB instead of 4096 KiB for SIP: bursts are lost and sent again")
    assert "net.core.wmem_max=" in found.mend


def test_a_voice_that_may_not_come_first(proc: Path) -> None:
    (proc / "7").mkdir()
    (proc / "7/limits").write_text("Max realtime priority     0                    0                    \n")
    (proc / "7/status").write_text("Name:\twebcb\nCapEff:\t0000000000000000\n")
    assert of(host.real_time(7, proc))[0] == "warning"
    (proc / "7/status").write_text("Name:\twebcb\nCapEff:\t0000000000800000\n")  # CAP_SYS_NICE
    assert of(host.real_time(7, proc))[0] == "ok"
    (proc / "7/status").unlink()
    (proc / "7/limits").write_text("Max realtime priority     1                    1                    \n")
    assert of(host.real_time(7, proc))[0] == "ok"


@pytest.mark.parametrize(
    ("state", "status", "expected"),
    [(0, 0x2001, ("ok", "synchronised, off by 12 ms at most")), (5, 0x40, None), (0, 0x40, None), (-1, 0, None)],
)
def test_a_clock_that_nobody_keeps_right(state: int, status: int, expected: tuple[str, str] | None) -> None:
    found = host.clock_state(state, status, 12_345)
    assert of(found) == expected if expected else of(found)[0] == "warning"
    assert host._adjtimex()[0] in range(6)


def test_the_engine_of_a_folder_is_who_holds_its_lock(tmp_path: Path) -> None:
    assert host.engine_process(tmp_path) is None
    lock = tmp_path / host.LOCK_FILE
    script = (
        f"import time, os; f = open({str(lock)!r}, 'w'); f.write(str(os.getpid())); f.flush(); print(); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-uc", script], stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        engine.stdout.readline()
        assert host.engine_process(tmp_path) == engine.pid
        by_link = tmp_path.parent / f"{tmp_path.name}-link"  # as systemd's DynamicUser= has it
        by_link.symlink_to(tmp_path)
        assert host.engine_process(by_link) == engine.pid
        engine.kill()
    assert host.engine_process(tmp_path) is None  # what it wrote is still there
