"""A fresh Debian of its own: made by debootstrap, its systemd started by systemd-nspawn with a network of its own.

It needs root, and these programs; where something is missing `require` says what. What this host's network wants of whoever leaves it
(name servers, authorities of certificates) the machine is given.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.waiting import wait_until

NEEDED: Final = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux"}
SUITE: Final = "bookworm"
# Of a Debian on a machine, not of one in a container; what is asked with from outside.
PACKAGES: Final = ("systemd", "systemd-sysv", "dbus", "iproute2", "ca-certificates", "curl", "openssl", "nano")
AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
STEP_SECONDS_MAX: Final = 900
_ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/srv",
    "DEBIAN_FRONTEND": "noninteractive",
    "PIP_CERT": str(AUTHORITIES),
    "PIP_ROOT_USER_ACTION": "ignore",
}


def require(needed: dict[str, str] = NEEDED) -> None:
    """AssertionError that says what is missing, and how it is had."""
    missing = sorted({package for program, package in needed.items() if shutil.which(program) is None})
    assert not missing, f"missing here: apt-get install --yes {' '.join(missing)}"
    assert os.geteuid() == 0, "a machine of its own is made and started by root alone"


def said(command: list[str], seconds: float = STEP_SECONDS_MAX) -> str:
    """What a command printed, both ways; AssertionError with all of it where it failed."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout[-6000:]}"
    return done.stdout


class Machine:
    """The folder of a Debian."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def make(cls, folder: Path, packages: tuple[str, ...] = PACKAGES) -> "Machine":
        """A fresh one, of debootstrap's minbase and these packages."""
        said(["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, str(folder)])
        if AUTHORITIES.exists():
            shutil.copy(AUTHORITIES, folder / AUTHORITIES.relative_to("/"))
        return cls(folder)

    def path(self, inside: str) -> Path:
        """Where a file of it is, seen from here."""
        return self.folder / inside.lstrip("/")

    def say(self, *lines: str, at: str = "/srv") -> str:
        """Say these lines to its shell while it is not started, on this host's network; the first that fails ends them."""
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--resolv-conf=copy-host"]
        command += [
            f"--directory={self.folder}",
            f"--chdir={at}",
            *(f"--setenv={k}={v}" for k, v in _ENVIRONMENT.items()),
        ]
        return said([*command, "/bin/bash", "-exc", "\n".join(lines)])

    @contextmanager
    def started(self) -> Iterator["Started"]:
        """Its systemd runs, as process 1 of its own, behind a cable that leads nowhere."""
        name = f"webcb-{os.getpid()}"
        command = ["systemd-nspawn", "--register=no", "--keep-unit", "--boot", f"--machine={name}", "--console=pipe"]
        with (self.folder.parent / "console").open("w") as console:
            process = subprocess.Popen(
                [*command, f"--directory={self.folder}", "--network-veth"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
            try:
                started = Started(process.pid)
                wait_until(started.is_up, "systemd has started everything", 120)
                yield started
            finally:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


class Started:
    """A machine whose systemd runs."""

    def __init__(self, outside: int) -> None:
        self._outside = outside

    def _first_process(self) -> int | None:
        children = Path(f"/proc/{self._outside}/task/{self._outside}/children").read_text().split()
        return int(children[0]) if children else None

    def is_up(self) -> bool:
        """Whether all that starts with it has started."""
        first = self._first_process()
        if first is None:
            return False
        done = subprocess.run(
            ["nsenter", f"--target={first}", "--mount", "--pid", "systemctl", "is-system-running"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() in ("running", "degraded")

    def command(self, *words: str, at: str = "/srv", outwards: bool = False) -> list[str]:
        """The command that runs this inside; `outwards` with this host's network instead of its own."""
        spaces = ["--mount", "--pid", "--uts", "--ipc", *([] if outwards else ["--net"])]
        environment = ["env", "-i", f"--chdir={at}", *(f"{name}={value}" for name, value in _ENVIRONMENT.items())]
        return ["nsenter", f"--target={self._first_process()}", *spaces, *environment, *words]

    def say(self, *lines: str, at: str = "/srv", outwards: bool = False) -> str:
        """Say these lines to a shell of it; the first that fails ends them."""
        return said(self.command("/bin/bash", "-exc", "\n".join(lines), at=at, outwards=outwards))
