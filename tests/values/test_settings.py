"""Settings: what is written, what is in force; what is wrong, and the line that is said."""

import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb import settings
from webcb.settings import Bind, Settings, SettingsProblem, load, shown


def in_file(folder: Path, text: str) -> Settings:
    path = folder / "webcb.toml"
    path.write_text(text)
    return load({}, path)


def problems(environment: dict[str, str], config: Path | None = None) -> list[str]:
    with pytest.raises(SettingsProblem) as wrong:
        load(environment, config)
    return wrong.value.problems


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# What is in force --------------------------------------------------------------------------------------------------------


def test_without_a_word_everything_has_a_default_on_loopback(tmp_path: Path) -> None:
    found = load({})
    assert found.data_dir == tmp_path / "webcb-data"
    assert found.database == f"sqlite:///{tmp_path}/webcb-data/webcb.sqlite"
    assert found.doorbell == tmp_path / "webcb-data" / "engine.sock"
    assert found.http_bind == Bind("127.0.0.1", 8901)
    assert found.sip_binds == (Bind("127.0.0.1", 5070),)
    assert found.rtp_hosts == ("127.0.0.1",)
    assert found.node_name


def test_the_environment_stands_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "webcb.toml").write_text('http_workers = 3\nhttp_threads = 5\nnode_name = "edge-1"\n')
    found = load({"WEBCB_HTTP_WORKERS": "7", "PATH": "/bin"})
    assert (found.http_workers, found.http_threads, found.node_name, found.rtp_port_min) == (7, 5, "edge-1", 20000)


def test_a_file_may_be_named_and_its_data_lie_beside_it(tmp_path: Path) -> None:
    """Wherever the service is started, a relative data_dir of a file is beside the file."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "own.toml").write_text('data_dir = "data"\n')
    assert load({"WEBCB_CONFIG": str(folder / "own.toml")}).data_dir == folder / "data"
    assert load({"WEBCB_CONFIG": "etc/own.toml"}).data_dir == folder / "data"
    assert load({"WEBCB_CONFIG": "/dev/null"}).data_dir == tmp_path / "webcb-data"


def test_binds_are_read_in_both_families(tmp_path: Path) -> None:
    found = in_file(
        tmp_path, 'sip_binds = ["192.0.2.1:5060", "[2001:db8::1]:5060"]\nsip_advertised = "203.0.113.5:5080"\n'
    )
    assert found.sip_binds == (Bind("192.0.2.1", 5060), Bind("2001:db8::1", 5060))
    assert found.sip_advertised == Bind("203.0.113.5", 5080)
    assert [str(bind) for bind in found.sip_binds] == ["192.0.2.1:5060", "[2001:db8::1]:5060"]
    assert load({"WEBCB_SIP_BINDS": "192.0.2.1:5060, [2001:db8::1]:5060"}).sip_binds == found.sip_binds


def test_what_is_shown_is_read_back_as_the_same(tmp_path: Path) -> None:
    first = load({"WEBCB_SIP_BINDS": "192.0.2.1:5060,[2001:db8::1]:5060", "WEBCB_SIP_ADVERTISED": "203.0.113.5:5060"})
    again = load(
        {f"WEBCB_{name.upper()}": value for name, value, _ in shown(first) if value and value != settings.MASK}
    )
    assert again == first


# The secret key ----------------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    first = load({})
    path = tmp_path / "webcb-data" / "secret.key"
    assert len(first.secret_key) == 2 * settings.SECRET_KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load({}).secret_key == first.secret_key
    assert [each.name for each in path.parent.iterdir()] == ["secret.key"]


def test_processes_that_start_together_have_one_key() -> None:
    found: list[str] = []
    together = threading.Barrier(8)

    def start() -> None:
        together.wait()
        found.append(load({}).secret_key)

    starting = [threading.Thread(target=start) for _ in range(8)]
    for each in starting:
        each.start()
    for each in starting:
        each.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(found[0]) == 2 * settings.SECRET_KEY_BYTES


def test_nothing_is_made_where_that_is_not_asked(tmp_path: Path) -> None:
    assert load({}, make_missing=False).secret_key == ""
    assert list(tmp_path.iterdir()) == []


def test_a_key_everybody_may_read_is_refused(tmp_path: Path) -> None:
    load({})
    path = tmp_path / "webcb-data" / "secret.key"
    path.chmod(0o644)
    assert problems({}) == [f"{path}: everybody may read the secret key; chmod 600 {path}"]


def test_a_key_that_was_lost_is_not_quietly_replaced(tmp_path: Path) -> None:
    load({})
    path = tmp_path / "webcb-data" / "secret.key"
    path.write_text("")
    assert problems({}) == [f"{path}: there is no key in it; put the installation's key back"]


def test_secrets_are_masked(tmp_path: Path) -> None:
    def value(name: str, **environment: str) -> str:
        return next(value for each, value, _ in shown(load(environment)) if each == name)

    assert value("secret_key") == settings.MASK
    assert value("secret_key", WEBCB_SECRET_KEY="sixteen letters or more") == settings.MASK
    for url, expected in (
        ("postgresql://webcb:p@ss:w/rd@db/webcb", "postgresql://webcb:********@db/webcb"),
        (
            "postgresql:///webcb?host=/run&password=hush&user=a",
            "postgresql:///webcb?host=/run&password=********&user=a",
        ),
        ("postgresql://db/webcb", "postgresql://db/webcb"),
        ("sqlite:///webcb.sqlite", "sqlite:///webcb.sqlite"),
    ):
        assert value("database_url", WEBCB_DATABASE_URL=url) == expected


def test_who_takes_no_money_credits_no_funds_where_calls_cost_some() -> None:
    assert (
        load({"WEBCB_PAYMENT_PROVIDER": "test", "WEBCB_SIP_BINDS": "127.0.0.2:5070,[::1]:5070"}).payment_provider
        == "test"
    )
    with pytest.raises(SettingsProblem, match="payment_provider: test takes no money"):
        load({"WEBCB_PAYMENT_PROVIDER": "test", "WEBCB_SIP_BINDS": "192.0.2.1:5060"})


# What is wrong -----------------------------------------------------------------------------------------------------------

WRONG = [
    ("http_prot", "80", "no such setting; did you mean http_bind?"),
    ("http_bind", "8901", "'8901' is not good: write host:port, as in 127.0.0.1:8901 or [::1]:8901"),
    ("http_bind", "host:99999", "'host:99999' is not good: write host:port, as in 127.0.0.1:8901 or [::1]:8901"),
    ("http_workers", "many", "'many' is not good: write a whole number from 1 to 64"),
    ("http_workers", "0", "'0' is not good: write a whole number from 1 to 64"),
    ("http_workers", "1.5", "'1.5' is not good: write a whole number from 1 to 64"),
    (
        "sip_binds",
        "sip.example:5060",
        "'sip.example:5060' is not good: write an IP address and port, as in 192.0.2.1:5060",
    ),
    ("sip_binds", "", "'' is not good: write at least one address:port"),
    ("rtp_hosts", "localhost", "'localhost' is not good: write an IP address, as in 192.0.2.1"),
    ("rtp_hosts", "", "'' is not good: write at least one IP address, as in 192.0.2.1"),
    (
        "database_url",
        "mysql://x",
        "the value is not good: write sqlite:///path or postgresql://user:password@host/name",
    ),
    ("secret_key", "short", "the value is not good: write at least 16 random characters, or leave it out: one is made"),
    ("node_name", "a b", "'a b' is not good: write 1 to 64 letters, digits, dots, dashes"),
    ("data_dir", " ", "' ' is not good: write some text"),
]


@pytest.mark.parametrize(("name", "text", "expected"), WRONG)
def test_a_wrong_value_is_refused_with_its_place_and_what_would_be_right(
    name: str, text: str, expected: str, tmp_path: Path
) -> None:
    (said,) = problems({f"WEBCB_{name.upper()}": text})
    assert said.startswith(f"environment WEBCB_{name.upper()}: {expected.partition(';')[0]}")
    config = tmp_path / "webcb.toml"
    config.write_text(f'# a comment\n\n{name} = "{text}"\n')
    (said,) = problems({}, config)
    assert said.startswith(f"{config}, line 3, {name}: {expected.partition(';')[0]}")


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    config = tmp_path / "webcb.toml"
    config.write_text('http_workers = "x"\nhttp_treads = 4\n[section]\nkey = 1\n')
    said = problems({"WEBCB_RTP_HOSTS": "here", "WEBCB_FOO": "1"}, config)
    assert [line.split(":")[0] for line in said] == [
        f"{config}, line 2, http_treads",
        f"{config}, line 3, section",
        "environment WEBCB_FOO",
        f"{config}, line 1, http_workers",
        "environment WEBCB_RTP_HOSTS",
    ]
    assert "did you mean http_threads?" in said[0]


TOGETHER = [
    ({"WEBCB_RTP_PORT_MIN": "20000", "WEBCB_RTP_PORT_MAX": "20002"}, "a callback needs four ports"),
    ({"WEBCB_RTP_PORT_MIN": "30000"}, "a callback needs four ports"),
    ({"WEBCB_SIP_BINDS": "192.0.2.1:5060,192.0.2.2:5060"}, "sip_binds: write at most one IPv4 and one IPv6 address"),
    ({"WEBCB_RTP_HOSTS": "192.0.2.1,192.0.2.2"}, "rtp_hosts: write at most one IPv4 and one IPv6 address"),
    ({"WEBCB_RTP_ADVERTISED": "::1,::2"}, "rtp_advertised: write at most one IPv4 and one IPv6 address"),
    ({"WEBCB_DATA_DIR": "/tmp/\ud800"}, "has a character that no path can have"),
    ({"WEBCB_DATA_DIR": "/tmp/" + "long" * 25}, "its path is 10 characters too long for the socket in it"),
]


@pytest.mark.parametrize(("environment", "expected"), TOGETHER)
def test_settings_that_contradict_each_other_are_refused(environment: dict[str, str], expected: str) -> None:
    (said,) = problems(environment)
    assert expected in said


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.toml").write_text("a = = 1")
    (tmp_path / "latin.toml").write_bytes(b'node_name = "\xe9"')
    assert problems({}, tmp_path / "none.toml") == [f"{tmp_path}/none.toml: there is no such file"]
    assert problems({"WEBCB_CONFIG": "none.toml"}) == ["none.toml: there is no such file"]
    assert "Is a directory" in problems({}, tmp_path / "folder")[0]
    assert "not TOML" in problems({}, tmp_path / "broken.toml")[0]
    assert "not TOML" in problems({}, tmp_path / "latin.toml")[0]


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (said,) = problems({"WEBCB_DATA_DIR": str(tmp_path / "file" / "data")})
    assert said == f"data_dir {tmp_path}/file/data: Not a directory; choose a folder this user may write"


@given(
    st.dictionaries(
        st.sampled_from(settings.NAMES), st.text(st.characters(exclude_characters="\0"), max_size=20), max_size=4
    )
)
def test_no_value_makes_reading_fail(given_values: dict[str, str]) -> None:
    try:
        load({f"WEBCB_{name.upper()}": value for name, value in given_values.items()}, make_missing=False)
    except SettingsProblem as wrong:
        assert wrong.problems
