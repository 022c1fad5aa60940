"""From names to addresses by RFC 3263, with the name system as a table; RFC 2782's weights by counting."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb.sip.events import Address
from webcb.sip.location import (
    NAMES_MAX,
    RECORDS_MAX,
    TARGETS_MAX,
    Family,
    Located,
    Naptr,
    NextHop,
    Question,
    Reply,
    Srv,
    in_order,
    locate,
)

Known = dict[tuple[str, str], Reply | None]
BOTH: tuple[Family, ...] = (4, 6)


def first(_: int) -> int:
    return 0


def find(
    hop: NextHop, known: Known, families: Sequence[Family] = (4,), draw: object = first
) -> tuple[Located, list[set[str]]]:
    """What comes of a search, and what was asked, round by round."""
    search, rounds = locate(hop, families, draw), []  # type: ignore[arg-type]
    try:
        questions = next(search)
        while True:
            rounds.append({f"{each.kind} {each.name}" for each in questions})
            questions = search.send({each: known.get((each.kind, each.name), ()) for each in questions})
    except StopIteration as end:
        return end.value, rounds


def written(located: Located) -> list[str]:
    return [f"{each.transport} {each.host} {each.port}" for each in located.targets]


# RFC 3263, 4.1 and 4.2: its own example, with addresses
EXAMPLE: Known = {
    ("NAPTR", "example.com"): (
        Naptr(50, 50, "s", "SIPS+D2T", "", "_sips._tcp.example.com."),
        Naptr(90, 50, "s", "SIP+D2T", "", "_sip._tcp.example.com."),
        Naptr(100, 50, "s", "SIP+D2U", "", "_sip._udp.example.com."),
    ),
    ("SRV", "_sips._tcp.example.com"): (Srv(0, 1, 5061, "server3.example.com"),),
    ("SRV", "_sip._tcp.example.com"): (
        Srv(0, 1, 5060, "server1.example.com"),
        Srv(1, 1, 5060, "server2.example.com"),
    ),
    ("SRV", "_sip._udp.example.com"): (Srv(0, 1, 5060, "server2.example.com"),),
    ("A", "example.com"): ("192.0.2.80",),
    ("A", "server1.example.com"): ("192.0.2.1",),
    ("A", "server2.example.com"): ("192.0.2.2",),
    ("A", "server3.example.com"): ("192.0.2.3",),
}

ROWS = [
    # what is wanted, what is found, what was asked
    (NextHop("192.0.2.9"), ["udp 192.0.2.9 5060"], []),
    (NextHop("192.0.2.9", None, "tcp"), ["tcp 192.0.2.9 5060"], []),
    (NextHop("192.0.2.9", None, "tls"), ["tls 192.0.2.9 5061"], []),
    (NextHop("192.0.2.9", None, "", True), ["tls 192.0.2.9 5061"], []),
    (NextHop("192.0.2.9", 5080, "udp"), ["udp 192.0.2.9 5080"], []),
    # A port: only its addresses, and UDP where no transport is said.
    (NextHop("example.com", 5060), ["udp 192.0.2.80 5060"], [{"A example.com"}]),
    (NextHop("example.com", 5070, "tls"), ["tls 192.0.2.80 5070"], [{"A example.com"}]),
    (NextHop("example.com", 5070, "", True), ["tls 192.0.2.80 5070"], [{"A example.com"}]),
    # A transport: its SRV records, NAPTR is not asked for.
    (
        NextHop("example.com", None, "tcp"),
        ["tcp 192.0.2.1 5060", "tcp 192.0.2.2 5060"],
        [{"SRV _sip._tcp.example.com"}, {"A server1.example.com", "A server2.example.com"}],
    ),
    (
        NextHop("Example.COM.", None, "tls"),
        ["tls 192.0.2.3 5061"],
        [{"SRV _sips._tcp.example.com"}, {"A server3.example.com"}],
    ),
    # Neither: NAPTR says which, its best order alone.
    (
        NextHop("example.com"),
        ["tls 192.0.2.3 5061"],
        [{"NAPTR example.com"}, {"SRV _sips._tcp.example.com"}, {"A server3.example.com"}],
    ),
    # No SRV: its own addresses at the port of the transport.
    (NextHop("server1.example.com", None, "udp"), ["udp 192.0.2.1 5060"], None),
    (NextHop("server1.example.com", None, "tls"), ["tls 192.0.2.1 5061"], None),
    (
        NextHop("server1.example.com"),
        ["udp 192.0.2.1 5060"],
        [
            {"NAPTR server1.example.com"},
            {f"SRV {each}.server1.example.com" for each in ("_sip._udp", "_sip._tcp", "_sips._tcp")},
            {"A server1.example.com"},
        ],
    ),
    (
        NextHop("server1.example.com", None, "", True),
        ["tls 192.0.2.1 5061"],
        [{"NAPTR server1.example.com"}, {"SRV _sips._tcp.server1.example.com"}, {"A server1.example.com"}],
    ),
]


@pytest.mark.parametrize(("hop", "targets", "asked"), ROWS)
def test_the_way_of_rfc_3263(hop: NextHop, targets: list[str], asked: list[set[str]] | None) -> None:
    located, rounds = find(hop, EXAMPLE)
    assert (written(located), located.trouble) == (targets, "")
    assert asked is None or rounds == asked


def test_of_naptr_only_what_can_be_used_counts() -> None:
    sctp = Naptr(10, 1, "s", "SIP+D2S", "", "_sip._sctp.example.com")
    by_rule = Naptr(10, 2, "u", "SIP+D2U", "!^.*$!sip:info@example.com!", ".")
    terminal = Naptr(10, 3, "a", "SIP+D2T", "", "server1.example.com")
    second = Naptr(20, 9, "S", "sip+d2u", "", "_sip._udp.example.com")
    better = Naptr(20, 8, "s", "SIP+D2T", "", "_sip._tcp.example.com")
    known = EXAMPLE | {("NAPTR", "example.com"): (second, sctp, by_rule, terminal, better)}
    assert written(find(NextHop("example.com"), known)[0]) == [
        "tcp 192.0.2.1 5060",
        "tcp 192.0.2.2 5060",
        "udp 192.0.2.2 5060",
    ]
    only_sctp = EXAMPLE | {("NAPTR", "example.com"): (sctp,)}
    assert written(find(NextHop("example.com"), only_sctp)[0])[0] == "udp 192.0.2.2 5060"  # as if there were none


def test_a_secure_uri_takes_no_insecure_service() -> None:
    known = EXAMPLE | {("NAPTR", "example.com"): EXAMPLE["NAPTR", "example.com"][1:]}  # type: ignore[index]
    located, rounds = find(NextHop("example.com", None, "", True), known)
    assert written(located) == ["tls 192.0.2.3 5061"]
    assert rounds[1] == {"SRV _sips._tcp.example.com"}
    assert find(NextHop("example.com", None, "udp", True), known)[0].trouble == "udp is not spoken here"


def test_what_naptr_names_without_srv_falls_back_to_the_addresses_of_the_domain() -> None:
    known: Known = {
        ("NAPTR", "example.com"): (Naptr(1, 1, "s", "SIP+D2T", "", "_sip._tcp.elsewhere.example"),),
        ("A", "example.com"): ("192.0.2.80",),
    }
    assert written(find(NextHop("example.com"), known)[0]) == ["tcp 192.0.2.80 5060"]


REFUSALS = [
    (NextHop("example.com", None, "sctp"), {}, "sctp is not spoken here"),
    (NextHop("2001:db8::1"), {}, "2001:db8::1 is IPv6, over which SIP is not spoken here"),
    (NextHop("example.com", 5060), {}, "example.com has no address that can be reached from here"),
    (NextHop("example.com", 5060), {("A", "example.com"): None}, "do not say which addresses example.com has"),
    (NextHop("example.com", None, "udp"), {("SRV", "_sip._udp.example.com"): (Srv(0, 0, 0, "."),)}, "offers no SIP"),
    (NextHop("example.com", None, "udp"), {("SRV", "_sip._udp.example.com"): None}, "whether there is _sip._udp.exam"),
    (
        NextHop("example.com", None, "udp"),
        {("SRV", "_sip._udp.example.com"): (Srv(0, 0, 5060, "gone.example"),), ("A", "example.com"): ("192.0.2.80",)},
        "example.com has no address",
    ),
]


@pytest.mark.parametrize(("hop", "known", "trouble"), REFUSALS)
def test_nothing_found_is_said_in_words(hop: NextHop, known: Known, trouble: str) -> None:
    located, _ = find(hop, known)
    assert not located.targets
    assert trouble in located.trouble


def test_silence_about_naptr_is_as_if_there_were_none() -> None:
    """There are name servers and firewalls that do not know the type."""
    located, _ = find(NextHop("example.com"), EXAMPLE | {("NAPTR", "example.com"): None})
    assert written(located)[0] == "udp 192.0.2.2 5060"


def test_both_families_take_turns_the_preferred_one_first() -> None:
    known: Known = {
        ("A", "example.com"): ("192.0.2.1", "192.0.2.2", "2001:db8::bad"),
        ("AAAA", "example.com"): ("2001:db8::1",),
    }
    hosts = [each.host for each in find(NextHop("example.com", 5060), known, BOTH)[0].targets]
    assert hosts == ["192.0.2.1", "2001:db8::1", "192.0.2.2"]
    assert find(NextHop("example.com", 5060), known, (6, 4))[0].targets[0].host == "2001:db8::1"
    assert find(NextHop("example.com", 5060), known, (6,))[1] == [{"AAAA example.com"}]


def test_addresses_of_one_name_are_drawn_anew() -> None:
    known: Known = {("A", "example.com"): tuple(f"192.0.2.{each}" for each in range(1, 5))}
    draw = random.Random(3).randrange
    firsts = Counter(find(NextHop("example.com", 5060), known, draw=draw)[0].targets[0].host for _ in range(4000))
    assert all(900 < count < 1100 for count in firsts.values())
    assert len(firsts) == 4


def test_a_reply_of_thousands_is_bounded() -> None:
    flood: Known = {("SRV", "_sip._udp.example.com"): [Srv(1, 1, 5060, f"h{each}.example") for each in range(5000)]}
    flood |= {("A", f"h{each}.example"): [f"10.0.{each // 256}.{each % 256}"] for each in range(5000)}
    located, rounds = find(NextHop("example.com", None, "udp"), flood)
    assert len(located.targets) == TARGETS_MAX
    assert len(rounds[1]) == NAMES_MAX
    many: Known = {("A", "example.com"): [f"10.0.{each // 256}.{each % 256}" for each in range(5000)]}
    assert len(find(NextHop("example.com", 5060), many)[0].targets) == TARGETS_MAX
    assert len(in_order([Srv(each % 7, each, 1, "x") for each in range(5000)], first)) == RECORDS_MAX


def test_a_server_named_twice_or_by_a_literal() -> None:
    known: Known = {
        ("SRV", "_sip._udp.example.com"): (
            Srv(1, 0, 5060, "192.0.2.7"),
            Srv(2, 0, 5060, "a.example"),
            Srv(3, 0, 5060, "a.example"),
        ),
        ("A", "a.example"): ("192.0.2.8", "192.0.2.8"),
    }
    assert find(NextHop("example.com", None, "udp"), known)[0].targets == (
        Address("192.0.2.7", 5060, "udp"),
        Address("192.0.2.8", 5060, "udp"),
    )


# RFC 2782


def test_who_comes_first_is_in_proportion_to_the_weights() -> None:
    records = [Srv(1, 10, 1, "a"), Srv(1, 30, 1, "b"), Srv(1, 60, 1, "c"), Srv(1, 0, 1, "d"), Srv(2, 1000, 1, "e")]
    draw, rounds = random.Random(7).randrange, 20_000
    orders = [[each.target for each in in_order(records, draw)] for _ in range(rounds)]
    firsts = Counter(order[0] for order in orders)
    for name, share in (("a", 0.10), ("b", 0.30), ("c", 0.60)):
        assert abs(firsts[name] / rounds - share) < 0.015
    assert 0 < firsts["d"] / rounds < 0.02  # "a very small chance"
    assert {order[-1] for order in orders} == {"e"}
    # Of those without c, a and b are drawn 1 to 3.
    after_c = Counter(order[1] for order in orders if order[0] == "c")
    assert abs(after_c["b"] / (after_c["a"] + after_c["b"]) - 0.75) < 0.02


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 65535), st.integers(0, 3)), max_size=RECORDS_MAX),
    st.integers(0, 2**32),
)
def test_everybody_comes_once_and_by_priority(drawn: list[tuple[int, int, int]], seed: int) -> None:
    records = [Srv(priority, weight, 5060, f"host{host}") for priority, weight, host in drawn]
    ordered = in_order(records, random.Random(seed).randrange)
    assert sorted(ordered) == sorted(records)
    assert [each.priority for each in ordered] == sorted(each.priority for each in records)


def test_questions_are_in_their_one_spelling() -> None:
    assert next(locate(NextHop("SBC.Example.", 5060), (4,), first)) == (Question("sbc.example", "A"),)
