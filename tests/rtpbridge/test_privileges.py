"""What the kernel path is allowed by: the capabilities of the unit file are enough, and with less it is said which are wanting."""

import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[2] / "deploy" / "webcb.service"
TRY = "from rtpbridge import try_kernel; print(try_kernel())"
PIN = """
import sys
from rtpbridge import Bridge
with Bridge("127.0.0.1", 20_000, 20_999, kernel=True, owner="unit", pins=sys.argv[1]) as bridge:
    print(bridge.kernel_state())
"""


def capabilities_of_the_unit() -> set[str]:
    unit = ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    return set(unit["Service"]["AmbientCapabilities"].split())


def with_only(capabilities: set[str], *command: str) -> str:
    """What a command says that has these capabilities and can get no other."""
    bounds = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in sorted(capabilities))])
    confined = ["setpriv", "--no-new-privs", f"--bounding-set={bounds}", f"--inh-caps={bounds}", *command]
    return subprocess.run(confined, check=True, capture_output=True, text=True).stdout.strip()


def test_what_the_unit_file_gives_is_enough() -> None:
    """Whether flows can be pinned too hangs on what is mounted on this host: see the next one."""
    assert with_only(capabilities_of_the_unit(), sys.executable, "-c", TRY).startswith("(True, ")


def test_flows_are_pinned_where_the_unit_file_has_mounted_a_file_system_for_them(tmp_path: Path) -> None:
    pins = tmp_path / "pins"
    pins.mkdir()
    subprocess.run(["mount", "-t", "bpf", "-o", "mode=0700", "bpf", str(pins)], check=True)
    try:
        told = with_only(capabilities_of_the_unit(), sys.executable, "-c", PIN, str(pins))
    finally:
        subprocess.run(["umount", str(pins)], check=True)
    assert told == "(True, '')"


@pytest.mark.parametrize(
    ("capabilities", "why"),
    [
        (set(), "a BPF map cannot be made (CAP_BPF is needed): Operation not permitted"),
        ({"CAP_NET_ADMIN"}, "a BPF map cannot be made (CAP_BPF is needed): Operation not permitted"),
        (
            {"CAP_BPF"},
            "the BPF program is not taken (CAP_BPF, CAP_NET_ADMIN and Linux 6.6 are needed): Operation not permitted",
        ),
    ],
)
def test_with_less_it_is_said_what_is_wanting(capabilities: set[str], why: str) -> None:
    assert with_only(capabilities, sys.executable, "-c", TRY) == str((False, why))


def test_systemd_takes_the_unit_file(tmp_path: Path) -> None:
    """Every key and value of it; the program itself is not installed there."""
    written = UNIT.read_text().replace("/opt/webcb/bin/webcb", "/bin/true")
    unit = tmp_path / UNIT.name
    unit.write_text(written)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], check=False, capture_output=True, text=True
    )
    assert (verified.returncode, verified.stderr) == (0, "")
