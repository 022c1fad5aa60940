"""The files to install by: the settings load, the unit fits the supervisor, nginx fits the pages."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

from webcb import settings
from webcb.serve import CANNOT_START, END_SECONDS_MAX, LISTEN_SECONDS
from webcb.settings import NAMES, Bind

DEPLOY = Path(__file__).parent.parent.parent / "deploy"


def unit() -> ConfigParser:
    # Keys may come twice in a unit; the last one is enough here.
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "webcb.service")
    return parser


def test_the_example_settings_are_good(tmp_path: Path) -> None:
    written = (DEPLOY / "webcb.toml").read_text()
    config = tmp_path / "webcb.toml"
    config.write_text(written.replace("/var/lib/webcb", str(tmp_path)))
    loaded = settings.load({}, config)
    assert loaded.trusted_proxies == 1
    assert loaded.sip_binds == (Bind("192.0.2.10", 5060),)


def test_what_the_example_leaves_commented_out_is_good_as_well(tmp_path: Path) -> None:
    written = (DEPLOY / "webcb.toml").read_text()
    config = tmp_path / "webcb.toml"
    config.write_text(
        re.sub(r"^# (\w+ = )", r"\1", written, flags=re.MULTILINE).replace("/var/lib/webcb", str(tmp_path))
    )
    loaded = settings.load({}, config)
    assert loaded.database.startswith("postgresql://")
    assert loaded.rtp_advertised == ("198.51.100.7",)
    assert set(re.findall(r"^(\w+) =", config.read_text(), flags=re.MULTILINE)) <= set(NAMES)


def test_the_unit_waits_as_long_as_the_supervisor_and_gives_up_when_it_does() -> None:
    service = unit()["Service"]
    assert int(service["TimeoutStopSec"]) > END_SECONDS_MAX
    assert service["RestartPreventExitStatus"] == str(CANNOT_START)
    assert service["ExecStart"].endswith("/webcb serve")
    assert (service["Type"], int(service["WatchdogSec"]) > 2 * LISTEN_SECONDS + END_SECONDS_MAX) == ("notify", True)
    assert "kill -HUP $MAINPID" in service["ExecReload"]


def test_the_unit_and_the_settings_speak_of_the_same_folders() -> None:
    service = unit()["Service"]
    assert service["Environment"] == "WEBCB_CONFIG=/etc/webcb/webcb.toml"
    assert service["StateDirectory"] == "webcb"
    # A dynamic user has no name where libnss-systemd is not there: the folder that is his says who he is.
    assert service["ExecStartPre"].endswith("chown --reference=/var/lib/webcb/ /run/webcb-bpf'")
    assert 'data_dir = "/var/lib/webcb"' in (DEPLOY / "webcb.toml").read_text()


def test_nginx_hands_to_where_the_pages_are_and_holds_no_event_back() -> None:
    written = (DEPLOY / "nginx.conf").read_text()
    assert 'http_bind = "127.0.0.1:8901"' in (DEPLOY / "webcb.toml").read_text()
    assert "server 127.0.0.1:8901;" in written
    assert "proxy_buffering off;" in written
    assert "X-Forwarded-Proto $scheme" in written
    assert written.count("{") == written.count("}")


def test_nginx_takes_the_file(tmp_path: Path) -> None:
    """As Debian's would on its way up, with a certificate made here."""
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    subject = ["-subj", "/CN=callback.example.net", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    made_by = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject]
    subprocess.run(made_by, check=True, capture_output=True)
    written = (DEPLOY / "nginx.conf").read_text()
    (tmp_path / "webcb.conf").write_text(
        written.replace("/etc/letsencrypt/live/callback.example.net", str(tmp_path)).replace("[::]:", "127.0.0.2:")
    )
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{ access_log off; include {tmp_path}/webcb.conf; }}\n"
    )
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    said = subprocess.run(
        [nginx, "-t", "-p", str(tmp_path), "-e", "stderr", "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert "successful" in said.stderr


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` says a line for each word it does not know; the program need not be there for that."""
    written = (DEPLOY / "webcb.service").read_text().replace("/opt/webcb/bin/webcb", "/bin/true")
    (tmp_path / "webcb.service").write_text(written)
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "webcb.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in said.stderr.splitlines() if "webcb.service" in line] == []
    broken = tmp_path / "broken.service"
    broken.write_text(written.replace("ProtectSystem", "ProtectSistem"))
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(broken)], capture_output=True, text=True, check=False
    )
    assert "ProtectSistem" in said.stderr
