"""The door of what the engine needs to reach connections: their passwords, which are sealed everywhere else, open."""

import logging
from collections.abc import Iterable
from functools import lru_cache

from webcb.billing import credentials
from webcb.billing.routing import Connection, RouteChoice

log = logging.getLogger(__name__)


def choices(connections: Iterable[Connection]) -> tuple[RouteChoice, ...]:
    """The connections with their passwords open; one whose password cannot be opened is left out, and the log says so."""
    found = []
    for each in connections:
        try:
            password = credentials.unseal(each.sealed_password)
        except credentials.SealProblem as problem:
            log.error("connection %s is left out: its password is %s", each.name, problem)
            continue
        found.append(_choice(each, password))
    return tuple(found)


@lru_cache(maxsize=1024)
def _choice(connection: Connection, password: str) -> RouteChoice:
    """Of the same connection the same value: it has many fields, and every call asks for it twice."""
    return RouteChoice(
        connection_id=connection.id,
        name=connection.name,
        host=connection.host,
        port=connection.port,
        username=connection.username,
        password=password,
        tech_prefix=connection.tech_prefix,
        codecs=connection.codecs,
        capacity=connection.capacity,
        transport=connection.transport,
        tls_ca_file=connection.tls_ca_file,
        tls_certificate_file=connection.tls_certificate_file,
        tls_key_file=connection.tls_key_file,
        calls_per_second=connection.calls_per_second,
        presentation=connection.presentation,
        must_register=connection.must_register,
        registrar=connection.registrar,
        srtp=connection.srtp,
    )
