"""How long certificates are good for: that of the pages, those of carriers' switches, and those we show them.

Those of others are looked at by opening a connection, as a browser or the engine would; nothing is said on it.
"""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from webcb.checking.finding import Finding, ok, warning, wrong
from webcb.engine.trust import Trust, TrustProblem, context, reason
from webcb.models import Connection
from webcb.settings import Settings

AREA: Final = "certificates"
SOON: Final = timedelta(days=14)  # who renews by ACME does it 30 days before
CONNECT_SECONDS_MAX: Final = 3.0
SIPS_PORT: Final = 5061


def findings(settings: Settings, at: datetime) -> Iterator[Finding]:
    """Every certificate we know of. The pages' is found at `public_url`."""
    url = urlsplit(settings.public_url)
    if url.scheme == "https" and url.hostname:
        yield _of_server(f"certificate of {settings.public_url}", url.port or 443, Trust(url.hostname), at)
    else:
        yield ok(AREA, "certificate of the pages", "not looked at: public_url is not set to an https address")
    for row in Connection.select().where(Connection.active, Connection.transport == "tls").order_by(Connection.name):
        if row.tls_certificate_file:
            yield _of_file(f"our certificate for {row.name}", Path(row.tls_certificate_file), at)
        trust = Trust(row.host, row.tls_ca_file, row.tls_certificate_file, row.tls_key_file)
        yield _of_server(f"certificate of {row.name}", row.port or SIPS_PORT, trust, at)


def _of_file(subject: str, file: Path, at: datetime) -> Finding:
    try:
        read = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) and problem.strerror else "no PEM certificate"
        return wrong(AREA, subject, f"{file}: {why}", "see tls_certificate_file")
    return days_left(subject, read.not_valid_after_utc, at)


def _of_server(subject: str, port: int, trust: Trust, at: datetime) -> Finding:
    try:
        opened = context(trust)
        with (
            socket.create_connection((trust.server_name, port), CONNECT_SECONDS_MAX) as plain,
            opened.wrap_socket(plain, server_hostname=trust.server_name) as sealed,
        ):
            shown = sealed.getpeercert() or {}
    except TrustProblem as problem:
        return wrong(AREA, subject, str(problem), "give it PEM files that the service's user may read")
    except ssl.SSLError as problem:
        return wrong(AREA, subject, reason(problem), "renew it, or name the authority that signed it")
    except OSError as problem:
        said = f"{trust.server_name} port {port} cannot be reached: {problem.strerror or problem}"
        return warning(AREA, subject, said, "look whether it runs, and at the firewall")
    with contextlib.suppress(KeyError):
        ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
        return days_left(subject, ends_at, at)
    return warning(AREA, subject, "says no end", "renew it")


def days_left(subject: str, ends_at: datetime, at: datetime) -> Finding:
    """What it means that a certificate ends then."""
    left = ends_at - at
    said = f"good until {ends_at:%Y-%m-%d}, {left.days} days"
    if left <= timedelta():
        return wrong(AREA, subject, f"ended on {ends_at:%Y-%m-%d}", "renew it")
    return warning(AREA, subject, said, "renew it") if left < SOON else ok(AREA, subject, said)
