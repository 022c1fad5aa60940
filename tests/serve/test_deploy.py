"""The files to install by: the settings load, the unit fits the supervisor, nginx fits the pages."""

import re
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
    assert service["ExecReload"].endswith("-HUP $MAINPID")


def test_the_unit_and_the_settings_speak_of_the_same_folders() -> None:
    service = unit()["Service"]
    assert service["Environment"] == "WEBCB_CONFIG=/etc/webcb/webcb.toml"
    assert service["StateDirectory"] == "webcb"
    assert 'data_dir = "/var/lib/webcb"' in (DEPLOY / "webcb.toml").read_text()


def test_nginx_hands_to_where_the_pages_are_and_holds_no_event_back() -> None:
    written = (DEPLOY / "nginx.conf").read_text()
    assert 'http_bind = "127.0.0.1:8901"' in (DEPLOY / "webcb.toml").read_text()
    assert "server 127.0.0.1:8901;" in written
    assert "proxy_buffering off;" in written
    assert "X-Forwarded-Proto $scheme" in written
    assert written.count("{") == written.count("}")
