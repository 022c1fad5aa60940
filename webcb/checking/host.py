"""What the host gives a node: ports, descriptors, buffers, real time, its clock, room on the disk, the kernel path.

Nothing is changed. Ports are tried by binding them, and those of an engine that runs are left alone. `proc` is where the kernel
tells of itself.
"""

import contextlib
import ctypes
import fcntl
import os
import resource
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rtpbridge import try_kernel
from webcb.checking.finding import Finding, ok, warning, wrong
from webcb.engine.runner import CALLBACKS_MAX, FILES_OF_ENGINE, PORTS_OF_CALLBACK
from webcb.engine.succession import LOCK_FILE
from webcb.engine.transport import SOCKET_BUFFER_BYTES
from webcb.serve import why_not_bindable
from webcb.settings import Bind, Settings

AREA: Final = "host"
PROC: Final = Path("/proc")
MIB: Final = 1 << 20
DISK_WRONG_BYTES: Final = 100 * MIB
DISK_WARNING_BYTES: Final = 1024 * MIB
TIME_ERROR: Final = 5  # <sys/timex.h>: the clock is not synchronised
STA_UNSYNC: Final = 0x40
TAKEN_SHOWN_MAX: Final = 5


def findings(settings: Settings, proc: Path = PROC) -> Iterator[Finding]:
    """Everything about the host, in the order in which a node meets it."""
    engine = engine_process(settings.data_dir, proc)
    yield data_folder(settings.data_dir)
    yield disk(settings.data_dir)
    yield from signalling_ports(settings, engine)
    yield voice_ports(settings, engine)
    yield own_port_range(settings, proc)
    yield descriptors(settings, engine, proc)
    yield buffers(proc)
    yield real_time(engine, proc)
    yield clock_state(*_adjtimex())
    yield kernel_path(settings)


def engine_process(data_dir: Path, proc: Path = PROC) -> int | None:
    """The process of the engine that runs on a data folder: it holds the lock there. None: none does."""
    lock = data_dir / LOCK_FILE
    try:
        pid = int(lock.read_text())
        held = {each.readlink() for each in (proc / str(pid) / "fd").iterdir()}
    except (OSError, ValueError):
        return None
    # DynamicUser= makes the folder a link: what is open stands under its true name.
    return pid if lock.resolve() in {each.resolve() for each in held} else None


def is_held_elsewhere(data_dir: Path) -> bool:
    """Whether an engine has the folder that is no process of ours to see: one in another container.

    Asked only where its address is taken. Nobody who could start now is kept from it by our looking.
    """
    try:
        with (data_dir / LOCK_FILE).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def data_folder(data_dir: Path) -> Finding:
    """Whether this user may work in the data folder and nobody else may read it."""
    subject = f"data folder {data_dir}"
    if not data_dir.is_dir():
        return wrong(AREA, subject, "is not there", "run `webcb init`, or set data_dir")
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        return wrong(
            AREA, subject, "this user may not write there", "run this as the service's user, or give it the folder"
        )
    if data_dir.stat().st_mode & 0o007:
        return warning(AREA, subject, "everybody of this host may look into it", f"chmod 700 {data_dir}")
    return ok(AREA, subject, "is ours alone")


def disk(data_dir: Path) -> Finding:
    """Room for the database, its log, settlements on file, prompts."""
    there = next((each for each in (data_dir, *data_dir.parents) if each.is_dir()), Path("/"))
    return disk_room(there, shutil.disk_usage(there).free)


def disk_room(there: Path, free: int) -> Finding:
    """What so many free bytes mean."""
    said = f"{free // MIB:,} MiB free"
    if free < DISK_WRONG_BYTES:
        return wrong(AREA, f"disk of {there}", said, "make room: on a full disk no call begins")
    if free < DISK_WARNING_BYTES:
        return warning(AREA, f"disk of {there}", said, "make room, or archive old bills: `webcb archive`")
    return ok(AREA, f"disk of {there}", said)


def signalling_ports(settings: Settings, engine: int | None) -> Iterator[Finding]:
    """Whether the addresses of SIP can be listened on: both its datagrams and its streams."""
    for bind in settings.sip_binds:
        subject = f"SIP address {bind}"
        if engine is not None:
            yield ok(AREA, subject, f"in use by our engine, process {engine}")
            continue
        why = why_not_bindable(bind, socket.SOCK_DGRAM) or why_not_bindable(bind)
        if why and is_held_elsewhere(settings.data_dir):
            yield ok(AREA, subject, "in use by our engine, in another container")
        elif why:
            yield wrong(
                AREA,
                subject,
                why,
                "set sip_binds to a free port of an address of this host (`ss -lnp` shows who has it)",
            )
        else:
            yield ok(AREA, subject, "free")


def voice_ports(settings: Settings, engine: int | None) -> Finding:
    """Whether the RTP range can be bound; a running engine opens ports of it all the time, so then nobody tries."""
    low, high = settings.rtp_port_min, settings.rtp_port_max
    subject = f"RTP ports {low}-{high}"
    enough_for = min(CALLBACKS_MAX, (high - low + 1) // PORTS_OF_CALLBACK)
    if engine is not None:
        return ok(AREA, subject, f"in the hands of our engine; enough for {enough_for} callbacks")
    taken: list[int] = []
    for host in settings.rtp_hosts:
        why = why_not_bindable(Bind(host, low), socket.SOCK_DGRAM)
        if why and not _is_own_address(host):
            return wrong(AREA, subject, f"{host}: {why}", "set rtp_hosts to addresses of this host")
        taken += [port for port in range(low, high + 1) if not _is_free(host, port)]
    if len(set(taken)) == high - low + 1:
        return wrong(AREA, subject, "all are taken", "set rtp_port_min and rtp_port_max to a free range")
    if taken:
        shown = ", ".join(map(str, sorted(set(taken))[:TAKEN_SHOWN_MAX]))
        return warning(
            AREA,
            subject,
            f"{len(set(taken))} are taken by others: {shown}{' ...' if len(set(taken)) > TAKEN_SHOWN_MAX else ''}",
            "set rtp_port_min and rtp_port_max to a range of our own",
        )
    return ok(AREA, subject, f"free; enough for {enough_for} callbacks")


def _is_own_address(host: str) -> bool:
    return why_not_bindable(Bind(host, 0), socket.SOCK_DGRAM) is None


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def own_port_range(settings: Settings, proc: Path = PROC) -> Finding:
    """Whether the kernel may hand a port of ours to any other socket of the host."""
    subject = "ports that the kernel hands out"
    folder = proc / "sys/net/ipv4"
    try:
        first, last = map(int, (folder / "ip_local_port_range").read_text().split())
    except (OSError, ValueError):
        return warning(AREA, subject, "cannot be read", "compare net.ipv4.ip_local_port_range with the RTP range")
    reserved = _reserved(folder / "ip_local_reserved_ports")
    ours = set(range(settings.rtp_port_min, settings.rtp_port_max + 1)) | {bind.port for bind in settings.sip_binds}
    shared = sorted(port for port in ours if first <= port <= last and port not in reserved)
    if not shared:
        return ok(AREA, subject, f"{first}-{last}: none of ours is among them")
    return warning(
        AREA,
        subject,
        f"{first}-{last}: {len(shared)} of ours are among them, and may be gone when they are needed",
        f"sysctl -w net.ipv4.ip_local_reserved_ports={_as_ranges(shared)} (and into /etc/sysctl.d/)",
    )


def _reserved(file: Path) -> set[int]:
    """Ports that are kept free, as in 8080,20000-29999."""
    with contextlib.suppress(OSError, ValueError):
        spans = [each.partition("-") for each in file.read_text().strip().split(",") if each]
        return {port for low, _, high in spans for port in range(int(low), int(high or low) + 1)}
    return set()


def _as_ranges(ports: list[int]) -> str:
    spans: list[list[int]] = []
    for port in ports:
        if spans and spans[-1][1] == port - 1:
            spans[-1][1] = port
        else:
            spans.append([port, port])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def descriptors(settings: Settings, engine: int | None, proc: Path = PROC) -> Finding:
    """How many callbacks the descriptors are enough for: those of the engine that runs, else those of who runs this."""
    ports = settings.rtp_port_max - settings.rtp_port_min + 1
    wanted = min(CALLBACKS_MAX, ports // PORTS_OF_CALLBACK) * PORTS_OF_CALLBACK + FILES_OF_ENGINE
    limit = _limit_of(engine, proc) if engine is not None else resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    whose = "of the engine" if engine is not None else "of who runs this"
    if limit is None or limit == resource.RLIM_INFINITY:
        return ok(AREA, "open files", f"no limit {whose}")
    enough_for = max(0, (limit - FILES_OF_ENGINE) // PORTS_OF_CALLBACK)
    said = f"{limit} {whose}, enough for {min(enough_for, CALLBACKS_MAX)} callbacks"
    if limit >= wanted:
        return ok(AREA, "open files", said)
    mend = f"LimitNOFILE={wanted} in the unit file, or `ulimit -n {wanted}`"
    return warning(AREA, "open files", said, mend) if enough_for else wrong(AREA, "open files", said, mend)


def _limit_of(pid: int, proc: Path) -> int | None:
    """The hard limit of open files of a process; None: there is none, or it is not told."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (proc / str(pid) / "limits").read_text().splitlines():
            if line.startswith("Max open files"):
                return int(line.split()[4])
    return None


def buffers(proc: Path = PROC) -> Finding:
    """Whether SIP gets the socket buffers it asks for: what comes in a burst waits there."""
    lowest, name = SOCKET_BUFFER_BYTES, ""
    for each in ("rmem_max", "wmem_max"):
        with contextlib.suppress(OSError, ValueError):
            granted = int((proc / "sys/net/core" / each).read_text())
            if granted < lowest:
                lowest, name = granted, each
    if not name:
        return ok(AREA, "socket buffers", f"{SOCKET_BUFFER_BYTES // 1024} KiB for SIP, as it asks for")
    return warning(
        AREA,
        "socket buffers",
        f"{lowest // 1024} KiB instead of {SOCKET_BUFFER_BYTES // 1024} KiB for SIP: bursts are lost and sent again",
        f"sysctl -w net.core.{name}={SOCKET_BUFFER_BYTES} (and into /etc/sysctl.d/)",
    )


def real_time(engine: int | None, proc: Path = PROC) -> Finding:
    """Whether the thread of the voice may come first when a frame is due."""
    limit: int | None = resource.getrlimit(resource.RLIMIT_RTPRIO)[1]
    if engine is not None:
        limit = 1
        with contextlib.suppress(OSError, ValueError):
            for line in (proc / str(engine) / "limits").read_text().splitlines():
                if line.startswith("Max realtime priority"):
                    limit = 0 if line.split()[4] == "0" else 1
    if limit != 0 or _has_nice(engine, proc):
        return ok(AREA, "real-time scheduling", "the voice may have it")
    return warning(
        AREA,
        "real-time scheduling",
        "not allowed: on a busy host frames of prompts and tones are late",
        "LimitRTPRIO=1 in the unit file",
    )


def _has_nice(pid: int | None, proc: Path) -> bool:
    """Whether a process (None: this one) has CAP_SYS_NICE, which no limit holds."""
    with contextlib.suppress(OSError, ValueError):
        for line in (proc / (str(pid) if pid else "self") / "status").read_text().splitlines():
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> 23 & 1)
    return False


def _adjtimex() -> tuple[int, int, int]:
    """What the kernel says of its clock: its state, its status bits, and how far it may be off in microseconds."""
    words = (ctypes.c_long * 32)()  # struct timex: modes is an int before longs, so word by word on 64 bits
    state = int(ctypes.CDLL(None).adjtimex(words))
    return state, int(words[5]) & 0xFFFFFFFF, int(words[3])


def clock_state(state: int, status: int, error_us: int) -> Finding:
    """Whether somebody keeps the clock right: bills bear its time, and nodes, statements and certificates go by it."""
    if state < 0 or state == TIME_ERROR or status & STA_UNSYNC:
        return warning(
            AREA,
            "clock",
            "nobody synchronises it: bills would bear a wrong time, and certificates fail",
            "run chrony or systemd-timesyncd (in a container: on its host)",
        )
    return ok(AREA, "clock", f"synchronised, off by {error_us / 1000:.0f} ms at most")


def kernel_path(settings: Settings) -> Finding:
    """Whether voice of joined legs can pass through the kernel, for the user who runs this."""
    subject = "voice through the kernel"
    if settings.rtp_kernel == "off":
        return ok(AREA, subject, 'switched off (rtp_kernel = "off")')
    is_possible, why = try_kernel()
    if is_possible and not why:
        return ok(AREA, subject, "possible, for who runs this")
    return warning(
        AREA,
        subject,
        f"{'possible' if is_possible else 'not possible'} for who runs this: {why}",
        'see "Voice through the kernel" in docs/operating.md; or rtp_kernel = "off"',
    )
