"""Settings: environment `WEBCB_*` over `webcb.toml` over defaults, read into one frozen `Settings`.

The only reader of os.environ. Unknown or wrong settings are refused, all at once, each with its place and what would be right.
"""

import os
import re
import secrets
import socket
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Literal

ENVIRONMENT_PREFIX = "WEBCB_"
CONFIG_FILE = "webcb.toml"
KEY_FILE = "secret.key"
SECRET_KEY_BYTES = 32
SECRET_KEY_CHARACTERS_MIN = 16
LINE_CHARACTERS_MAX = 256
SOCKET_PATH_BYTES_MAX = 107  # of a Unix socket, by the kernel
MASK = "********"


class SettingsProblem(Exception):
    """Settings that cannot be used; `problems` has a line each: the place, what is wrong, what would be right."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Bind:
    """A host (name or literal) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Network = IPv4Network | IPv6Network


# Readers: text or TOML value in, setting out; ValueError says what would be right --------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write some text")
    return value.strip()


def _name(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", value):
        raise ValueError("write 1 to 64 letters, digits, dots, dashes")
    return value


def _integer(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,10}", str(value)) or not least <= int(value) <= most:
            raise ValueError(f"write a whole number from {least} to {most}")
        return int(value)

    return read


def _bind(value: Any) -> Bind:
    host, _, port = str(value).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError("write host:port, as in 127.0.0.1:8901 or [::1]:8901")
    return Bind(host, int(port))


def _secret(value: Any) -> str:
    if not isinstance(value, str) or len(value.strip()) < SECRET_KEY_CHARACTERS_MIN:
        raise ValueError(f"write at least {SECRET_KEY_CHARACTERS_MIN} random characters, or leave it out: one is made")
    return value.strip()


def _literal_bind(value: Any) -> Bind:
    bind = _bind(value)
    try:
        ip_address(bind.host)
    except ValueError:
        raise ValueError("write an IP address and port, as in 192.0.2.1:5060") from None
    return bind


def _binds(value: Any) -> tuple[Bind, ...]:
    items = value if isinstance(value, list) else [item for item in str(value).split(",") if item.strip()]
    if not items:
        raise ValueError("write at least one address:port")
    return tuple(_literal_bind(str(item).strip()) for item in items)


def _dns_servers(value: Any) -> tuple[Bind, ...]:
    items = value if isinstance(value, list) else [item for item in str(value).split(",") if item.strip()]
    return tuple(_dns_server(str(item).strip()) for item in items)


def _dns_server(text: str) -> Bind:
    try:
        return Bind(str(ip_address(text)), 53)
    except ValueError:
        pass
    try:
        return _literal_bind(text)
    except ValueError:
        raise ValueError("write IP addresses, as in 192.0.2.53 or 192.0.2.53:5353, comma between") from None


def _literal(value: Any) -> str:
    try:
        return str(ip_address(str(value)))
    except ValueError:
        raise ValueError("write an IP address, as in 192.0.2.1") from None


def _literals_or_none(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else str(value).split(",")
    return tuple(_literal(str(item).strip()) for item in items if str(item).strip())


def _literals(value: Any) -> tuple[str, ...]:
    read = _literals_or_none(value)
    if not read:
        raise ValueError("write at least one IP address, as in 192.0.2.1")
    return read


def _networks(value: Any) -> tuple[Network, ...]:
    items = value if isinstance(value, list) else str(value).split(",")
    try:
        return tuple(ip_network(str(item).strip()) for item in items if str(item).strip())
    except ValueError:
        raise ValueError("write networks, as in 127.0.0.0/8,2001:db8::/64, comma between") from None


def _bind_or_none(value: Any) -> Bind | None:
    return None if value == "" else _literal_bind(value)


def _host_or_empty(value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{0,253}", str(value)):
        raise ValueError("write a host name or address, as in mail.example.com")
    return str(value)


def _line_or_empty(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LINE_CHARACTERS_MAX or not (value.isprintable() or not value):
        raise ValueError(f"write at most {LINE_CHARACTERS_MAX} characters on one line")
    return value


def web_address(text: str) -> str:
    """The address of our pages as people type it, without a slash at its end; raises ValueError with what would be right."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]{1,253}(/[A-Za-z0-9._~/-]*)?", text):
        raise ValueError("write an address, as in https://callback.example.com")
    return text.rstrip("/")


def _web_address_or_empty(value: Any) -> str:
    return "" if value == "" else web_address(str(value))


def _provider_or_empty(value: Any) -> str:
    if not re.fullmatch(r"(test|[A-Za-z_][\w.]*:[A-Za-z_]\w*)?", str(value)):
        raise ValueError("write test, or module:class of a provider")
    return str(value)


def _mail_address_or_empty(value: Any) -> str:
    if value != "" and not re.fullmatch(r"[^@\s<>\"]{1,64}@[A-Za-z0-9.-]{1,253}", str(value)):
        raise ValueError("write an e-mail address, as in calls@example.com")
    return str(value)


def _networks_or_none(value: Any) -> str:
    items = value if isinstance(value, list) else str(value).split(",")
    try:
        return ",".join(str(ip_network(str(item).strip())) for item in items if str(item).strip())
    except ValueError:
        raise ValueError("write networks, as in 10.1.0.0/16, comma between") from None


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if str(value) not in choices:  # TOML has numbers
            raise ValueError(f"write {', '.join(choices[:-1])} or {choices[-1]}")
        return str(value)

    return read


def _database_url(value: Any) -> str:
    if value == "" or re.match(r"sqlite:///.|postgresql://.", str(value)):
        return str(value)
    raise ValueError("write sqlite:///path or postgresql://user:password@host/name")


def _path(value: Any) -> Path:
    try:
        return Path(_text(value)).expanduser().absolute()
    except RuntimeError:
        raise ValueError("write a path; there is no such home directory") from None


def _setting(reader: Callable[[Any], Any], default: Any, text: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"reader": reader, "help": text, "secret": secret})


def _host_name() -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64] or "node"


@dataclass(frozen=True, slots=True)
class Settings:
    """The effective settings; the metadata of a field tell how it is read and what it is for."""

    data_dir: Path = _setting(_path, Path("webcb-data"), "folder of the database, the secret key and the doorbell")
    database_url: str = _setting(
        _database_url, "", "sqlite:///path or postgresql://...; empty: webcb.sqlite in data_dir", secret=True
    )
    database_connections: int = _setting(
        _integer(2, 200), 20, "connections to PostgreSQL that each process of the pages may have open"
    )
    secret_key: str = _setting(
        _secret, "", "signs sessions and seals trunk passwords; made once in data_dir", secret=True
    )
    node_name: str = _setting(
        _name, "", "name of this node in usage charges and on callbacks; default: the host's name"
    )
    http_bind: Bind = _setting(_bind, Bind("127.0.0.1", 8901), "where the web pages are served")
    http_workers: int = _setting(_integer(1, 64), 2, "gunicorn worker processes")
    http_threads: int = _setting(_integer(2, 512), 32, "threads of a worker; a page that follows a call holds one")
    trusted_proxies: int = _setting(
        _integer(0, 5), 0, "reverse proxies before the pages whose X-Forwarded headers are believed"
    )
    sip_binds: tuple[Bind, ...] = _setting(
        _binds, (Bind("127.0.0.1", 5070),), "addresses SIP is spoken from, one of a family, comma between"
    )
    sip_advertised: Bind | None = _setting(
        _bind_or_none, None, "address:port written into Via and Contact where NAT changes them; empty: as bound"
    )
    dns_servers: tuple[Bind, ...] = _setting(
        _dns_servers, (), "name servers, comma between; empty: those of /etc/resolv.conf"
    )
    sip_strangers: Literal["403", "silent"] = _setting(
        _one_of("403", "silent"), "403", "what strangers who call in get: 403, or silent for no answer at all"
    )
    rtp_hosts: tuple[str, ...] = _setting(
        _literals, ("127.0.0.1",), "addresses the RTP ports are opened on, one of a family, comma between"
    )
    rtp_advertised: tuple[str, ...] = _setting(
        _literals_or_none, (), "addresses written into SDP where NAT changes them; empty: rtp_hosts"
    )
    rtp_port_min: int = _setting(_integer(1024, 65534), 20000, "first RTP port")
    rtp_port_max: int = _setting(_integer(1025, 65535), 29999, "last RTP port; a callback uses four")
    rtp_kernel: Literal["auto", "off"] = _setting(
        _one_of("auto", "off"),
        "auto",
        "auto: voice of joined legs passes through the kernel where the host permits it; off",
    )
    log_format: Literal["text", "json"] = _setting(
        _one_of("text", "json"), "text", "log lines as text, or as one JSON object each"
    )
    trace_days: int = _setting(_integer(0, 3650), 7, "days for which the SIP messages of callbacks are kept")
    attempt_days: int = _setting(
        _integer(0, 3650), 400, "days for which attempts to call are kept; 0: as long as their callbacks"
    )
    refusal_days: int = _setting(_integer(0, 3650), 400, "days for which counts of refusals are kept; 0: for ever")
    metrics_networks: tuple[Network, ...] = _setting(
        _networks,
        (ip_network("127.0.0.0/8"), ip_network("::1")),
        "who may read /metrics: networks, comma between; empty: nobody",
    )
    smtp_host: str = _setting(_host_or_empty, "", "mail server that takes our mails; empty: none are sent")
    smtp_port: int = _setting(_integer(1, 65535), 587, "its port; 465 is usual for tls, 25 for none")
    smtp_security: str = _setting(
        _one_of("starttls", "tls", "none"), "starttls", "starttls, tls from the start, or none"
    )
    smtp_username: str = _setting(_line_or_empty, "", "log-in at the mail server; empty: none")
    smtp_password: str = _setting(_line_or_empty, "", "its password", secret=True)
    mail_from: str = _setting(_mail_address_or_empty, "", "sender of our mails, as in calls@example.com")
    webhook_networks: str = _setting(
        _networks_or_none, "", "networks that are not public and take webhooks all the same, comma between"
    )
    public_url: str = _setting(
        _web_address_or_empty,
        "",
        "where people reach the pages, for links in mails; empty: no password is recovered by mail",
    )
    personal_days: int = _setting(
        _integer(0, 36500), 0, "days after which the numbers of a callback are masked everywhere; 0: they are kept"
    )
    payment_provider: str = _setting(
        _provider_or_empty,
        "",
        "through whom accounts are topped up: module:class; test, on loopback alone, moves no money; empty: nobody",
    )

    @property
    def database(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'webcb.sqlite'}"

    @property
    def clerk_bell(self) -> Path:
        """The same for the clerk, who works at what takes longer."""
        return self.data_dir / "clerk.sock"

    @property
    def doorbell(self) -> Path:
        """The Unix datagram socket by which the web wakes the engine of this host."""
        return self.data_dir / "engine.sock"


NAMES = tuple(item.name for item in fields(Settings))


def load(
    environment: Mapping[str, str] | None = None, config: Path | None = None, *, make_missing: bool = True
) -> Settings:
    """Read the effective settings. Raises SettingsProblem with everything that is wrong.

    Makes data_dir and the secret key where they are missing; with `make_missing` false a missing key is "".
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    chosen: dict[str, Any] = {}
    for name, (value, place) in _given(environment, config, problems).items():
        about = next(item for item in fields(Settings) if item.name == name).metadata
        try:
            chosen[name] = about["reader"](value)
        except ValueError as wrong:
            problems.append(f"{place}: {'the value' if about['secret'] else repr(value)} is not good: {wrong}")
    if not problems:
        problems = _contradictions(chosen)
    if problems:
        raise SettingsProblem(problems)
    return _with_generated(Settings(**chosen), make_missing)


def _given(environment: Mapping[str, str], config: Path | None, problems: list[str]) -> dict[str, tuple[Any, str]]:
    """Every value given, by name, with the place where it stands; the environment overrides the file."""
    given: dict[str, tuple[Any, str]] = {}
    path = config or Path(environment.get("WEBCB_CONFIG", CONFIG_FILE))
    if path.exists():
        given |= _from_file(path, problems)
    elif config or "WEBCB_CONFIG" in environment:
        problems.append(f"{path}: there is no such file")
    for variable, text in environment.items():
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == "WEBCB_CONFIG":
            continue
        if name in NAMES:
            given[name] = (text, f"environment {variable}")
        else:
            problems.append(f"environment {variable}: no such setting{_nearest(name)}")
    return given


def _from_file(path: Path, problems: list[str]) -> dict[str, tuple[Any, str]]:
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as wrong:
        problems.append(f"{path}: {wrong.strerror}; name a file that this user may read")
        return {}
    except ValueError as wrong:  # not UTF-8, or not TOML
        problems.append(f"{path}: not TOML: {wrong}")
        return {}
    lines = text.splitlines()
    given = {}
    for name, value in table.items():
        line = next((n for n, each in enumerate(lines, 1) if re.match(rf'\s*"?{re.escape(name)}"?\s*=|\s*\[', each)), 1)
        place = f"{path}, line {line}, {name}"
        if name == "data_dir" and isinstance(value, str) and value.strip():
            value = str(path.absolute().parent / Path(value).expanduser())  # wherever the program is started
        if name in NAMES:
            given[name] = (value, place)
        else:
            problems.append(f"{place}: no such setting{_nearest(name)}")
    return given


def _nearest(name: str) -> str:
    close = get_close_matches(name, NAMES, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are: {', '.join(NAMES)}"


def _contradictions(chosen: Mapping[str, Any]) -> list[str]:
    """Settings that are good each for itself and not together."""
    found = []
    settings = Settings(**chosen)
    low, high = settings.rtp_port_min, settings.rtp_port_max
    if high - low < 3:
        found.append(
            f"rtp_port_min {low}, rtp_port_max {high}: a callback needs four ports, so the last must be 3 above the first"
        )
    beyond = [str(bind) for bind in settings.sip_binds if not ip_address(bind.host).is_loopback]
    if settings.payment_provider == "test" and beyond:
        found.append(
            "payment_provider: test takes no money and credits real funds, so it is for an engine that reaches no carrier, all its"
            f" sip_binds on loopback; SIP is spoken from {beyond[0]}: name a provider, module:class, or leave the line out"
        )
    addresses = {
        "sip_binds": [bind.host for bind in settings.sip_binds],
        "rtp_hosts": settings.rtp_hosts,
        "rtp_advertised": settings.rtp_advertised,
    }
    for name, hosts in addresses.items():
        families = [ip_address(host).version for host in hosts]
        if len(families) != len(set(families)):
            found.append(f"{name}: write at most one IPv4 and one IPv6 address")
    try:
        over = len(os.fsencode(settings.doorbell.absolute())) - SOCKET_PATH_BYTES_MAX
    except UnicodeEncodeError:
        return [*found, "data_dir: has a character that no path can have"]
    if over > 0:
        found.append(f"data_dir: its path is {over} characters too long for the socket in it; choose a shorter one")
    return found


def _with_generated(settings: Settings, make_missing: bool) -> Settings:
    data_dir = settings.data_dir.absolute()
    try:
        if make_missing:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = settings.secret_key or _secret_key(data_dir / KEY_FILE, make_missing)
    except OSError as wrong:
        raise SettingsProblem(
            [f"data_dir {data_dir}: {wrong.strerror}; choose a folder this user may write"]
        ) from wrong
    return replace(settings, data_dir=data_dir, secret_key=key, node_name=settings.node_name or _host_name())


def _secret_key(path: Path, make_missing: bool) -> str:
    """The installation's key; made at the first start, readable by its owner alone."""
    if make_missing:
        _make_secret_key(path)
    try:
        key = path.read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if len(key) < SECRET_KEY_CHARACTERS_MIN:
        raise SettingsProblem([f"{path}: there is no key in it; put the installation's key back"])
    if path.stat().st_mode & stat.S_IRWXO:
        raise SettingsProblem([f"{path}: everybody may read the secret key; chmod 600 {path}"])
    return key


def _make_secret_key(path: Path) -> None:
    """Written whole before it has its name: of two processes that start together, both read the one key."""
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(SECRET_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def shown(settings: Settings) -> list[tuple[str, str, str]]:
    """Name, value and purpose of every effective setting, secrets masked: for `webcb config` and the documentation."""
    rows = []
    for item in fields(Settings):
        value = getattr(settings, item.name)
        text = ",".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
        rows.append((item.name, _masked(item.name, text) if item.metadata["secret"] else text, item.metadata["help"]))
    return rows


def _masked(name: str, text: str) -> str:
    """A secret hidden; of a URL, only what could open it: passwords in its address or its query."""
    if name != "database_url":
        return MASK if text else ""
    hidden = re.sub(r"(://[^/?@:]*):.*@", rf"\1:{MASK}@", text)
    return re.sub(r"(password=)[^&]*", rf"\1{MASK}", hidden)
