"""Where a request goes: the way from a name to transport addresses in the order they are tried (RFC 3263, 4; RFC 2782; RFC 7984).

Pure: what is to be asked of the name system is yielded, and the answers are sent in. Asking, remembering answers and their
limits in time are engine/names.py's; which address failed lately, and what follows, is the engine's as well.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from itertools import zip_longest
from typing import Final, Literal, NamedTuple

from webcb.sip.events import Address

LITERAL_LENGTH_MAX: Final = 64  # of an address in any of its notations, with a zone
LITERALS_KNOWN_MAX: Final = 4096  # which need not be read again: every message names some
SIP_PORT: Final = 5060
SIPS_PORT: Final = 5061
SERVICES_MAX: Final = 4  # of NAPTR records; we speak three
RECORDS_MAX: Final = 64  # read of one answer; a reply of thousands is somebody's mistake, or worse
NAMES_MAX: Final = 8  # hosts of SRV records whose addresses are asked for
TARGETS_MAX: Final = 8  # addresses tried of one name; whoever waits has hung up by then

Kind = Literal["NAPTR", "SRV", "A", "AAAA"]
Family = Literal[4, 6]
Draw = Callable[[int], int]  # n -> 0 .. n - 1, each as likely

_ADDRESS_KIND: Final[dict[Family, Kind]] = {4: "A", 6: "AAAA"}
# In the order in which we would have it where the other end leaves the choice to us (RFC 3263, 4.1).
_TRANSPORTS: Final = ("udp", "tcp", "tls")
_PREFIX: Final = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
_OF_SERVICE: Final = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}


class NextHop(NamedTuple):
    """Where a request is to go, as a URI or a connection says it. `port` None and `transport` "": it does not say."""

    host: str
    port: int | None = None
    transport: str = ""
    is_sips: bool = False


class Naptr(NamedTuple):
    """A record that names a service of a domain (RFC 3403, 4)."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


class Srv(NamedTuple):
    """A record that names a server of a service (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


class Question(NamedTuple):
    """What is asked of the name system; the name in lower case and without a dot at its end."""

    name: str
    kind: Kind


class Located(NamedTuple):
    """The addresses in the order they are tried, their hosts literals; or none, and in words why."""

    targets: tuple[Address, ...]
    trouble: str = ""


Reply = Sequence[Naptr | Srv | str]  # A and AAAA as literals
Replies = Mapping[Question, Reply | None]  # (): there is no such record; None: nobody could say
Search = Generator[tuple[Question, ...], Replies, Located]


class _Server(NamedTuple):
    """A host and port of which the addresses are still to be asked for."""

    host: str
    port: int
    transport: str


def locate(hop: NextHop, families: Sequence[Family], draw: Draw) -> Search:
    """Find the addresses of `hop`: yields the questions that can be asked side by side, takes their answers, returns the end.

    `families` are those we can speak over, the preferred one first. Errors are words in what is returned, never raised.
    """
    host = canonical(hop.host)
    allowed = ("tls",) if hop.is_sips else (hop.transport,) if hop.transport else _TRANSPORTS
    if allowed[0] not in _TRANSPORTS or (hop.is_sips and hop.transport not in ("", "tcp", "tls")):
        return Located((), f"{hop.transport} is not spoken here")
    here = _Server(host, hop.port or default_port(allowed[0]), allowed[0])
    if family := family_of(host):
        if family not in families:
            return Located((), f"{host} is IPv{family}, over which SIP is not spoken here")
        return Located((Address(*here),))
    if hop.port is not None:  # then nothing but its addresses counts (RFC 3263, 4.2)
        return (yield from _addresses(host, (here,), families, draw))
    services: list[tuple[str, str]] = []
    if not hop.transport:
        asked = Question(host, "NAPTR")
        services = _services((yield (asked,))[asked] or (), allowed)
    is_told = bool(services)
    services = services or [(transport, _PREFIX[transport] + host) for transport in allowed]
    questions = tuple(dict.fromkeys(Question(name, "SRV") for _, name in services))
    replies = yield questions
    servers: list[_Server] = []
    for transport, name in services:
        reply = replies[Question(name, "SRV")] or ()
        records = [each for each in reply if isinstance(each, Srv) and each.port and each.target not in ("", ".")]
        servers += [_Server(canonical(each.target), each.port, transport) for each in in_order(records, draw)]
    if servers:
        return (yield from _addresses(host, servers, families, draw))
    if any(replies.values()):  # the one record with the target "." (RFC 2782)
        return Located((), f"{host} offers no SIP over {', '.join(allowed)}")
    if any(reply is None for reply in replies.values()):
        # Its addresses may be those of a web server. Who knows better writes the port, and SRV is not asked for.
        return Located(
            (), f"the name servers do not say whether there is {questions[0].name}; with a port it is not asked"
        )
    transport = services[0][0] if is_told else allowed[0]
    return (yield from _addresses(host, (_Server(host, default_port(transport), transport),), families, draw))


def in_order(records: Iterable[Srv], draw: Draw) -> list[Srv]:
    """SRV records as they are tried: lowest priority first, those of one priority drawn by their weights (RFC 2782)."""
    # Those of weight 0 stand first, so that they are drawn only where the number is 0.
    left = sorted(sorted(records)[:RECORDS_MAX], key=lambda each: (each.priority, each.weight > 0))
    ordered = []
    while left:
        peers = [each for each in left if each.priority == left[0].priority]
        number = draw(sum(each.weight for each in peers) + 1)
        for each in peers:
            number -= each.weight
            if number <= 0:
                ordered.append(each)
                left.remove(each)
                break
    return ordered


def canonical(name: str) -> str:
    """A name as it is compared and asked for."""
    return name.lower().removesuffix(".")


def default_port(transport: str) -> int:
    """The port of a transport where none is said (RFC 3261, 19.1.2)."""
    return SIPS_PORT if transport == "tls" else SIP_PORT


def family_of(host: str) -> Family | None:
    """4 or 6 of a literal; None where `host` is a name."""
    return _family_of(host) if len(host) <= LITERAL_LENGTH_MAX else None


@lru_cache(maxsize=LITERALS_KNOWN_MAX)
def _family_of(host: str) -> Family | None:
    try:
        return 6 if ip_address(host).version == 6 else 4
    except ValueError:
        return None


def _services(reply: Reply, allowed: tuple[str, ...]) -> list[tuple[str, str]]:
    """Transport and name of the SRV records of NAPTR's best order, by preference; of those that we can use (RFC 3263, 4.1)."""
    usable = [
        each
        for each in reply[:RECORDS_MAX]
        if isinstance(each, Naptr)
        and each.flags.lower() == "s"
        and not each.regexp
        and each.replacement not in ("", ".")
        and _OF_SERVICE.get(each.service.upper()) in allowed
    ]
    # Another order is another rule, which the first that matches ends (RFC 3403, 4.1).
    best = sorted(each for each in usable if each.order == min(usable).order)
    return [(_OF_SERVICE[each.service.upper()], canonical(each.replacement)) for each in best[:SERVICES_MAX]]


def _addresses(host: str, servers: Sequence[_Server], families: Sequence[Family], draw: Draw) -> Search:
    """The addresses of servers, in the order of these; of one server in turn from each family (RFC 7984, 4), drawn anew."""
    names = list(dict.fromkeys(each.host for each in servers if not family_of(each.host)))[:NAMES_MAX]
    questions = [Question(name, _ADDRESS_KIND[family]) for name in names for family in families]
    replies: Replies = (yield tuple(questions)) if questions else {}
    found: dict[Address, None] = {}
    for server in servers:
        own = family_of(server.host)  # an SRV record that names a literal is wrong, and not rare
        known = {each: replies.get(Question(server.host, _ADDRESS_KIND[each]), ()) for each in families}
        of_families = [_literals((server.host,) if own == each else known[each], each, draw) for each in families]
        for literal in (each for turn in zip_longest(*of_families) for each in turn if each):
            found[Address(literal, server.port, server.transport)] = None
    if found:
        return Located(tuple(found)[:TARGETS_MAX])
    if any(reply is None for reply in replies.values()):
        return Located((), f"the name servers do not say which addresses {host} has")
    return Located((), f"{host} has no address that can be reached from here")


def _literals(reply: Reply | None, family: Family, draw: Draw) -> list[str]:
    """The addresses of one answer, in an order drawn by lot: a name server may give them in one and the same."""
    left = [each for each in (reply or ())[:RECORDS_MAX] if isinstance(each, str) and family_of(each) == family]
    return [left.pop(draw(len(left))) for _ in range(len(left))]
