"""Names asked of a real name server on loopback, and looked up in a hosts file."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.name_server import NameServer, Zone, name_server
from webcb.engine import names
from webcb.engine.names import Resolver
from webcb.settings import Bind
from webcb.sip.events import Address
from webcb.sip.location import TARGETS_MAX, Located, NextHop

PATIENCE_SECONDS = 10
ZONE: Zone = {
    ("example.com", "NAPTR"): [
        '10 10 "s" "SIP+D2T" "" _sip._tcp.example.com.',
        '10 20 "s" "SIP+D2U" "" _sip._udp.example.com.',
    ],
    ("_sip._udp.example.com", "SRV"): ["0 5 5060 sbc1.example.com.", "1 5 5062 sbc2.example.com."],
    ("_sip._tcp.example.com", "SRV"): ["0 5 5060 sbc1.example.com."],
    ("sbc1.example.com", "A"): ["192.0.2.1"],
    ("sbc1.example.com", "AAAA"): ["2001:db8::1"],
    ("sbc2.example.com", "CNAME"): ["sbc1.example.com."],
    ("example.com", "A"): ["192.0.2.80"],
}
SBC = NextHop("sbc1.example.com", 5060, "udp")


class Passing:
    """The loop's clock, so that a test can let time pass."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.passed = 0.0

    def time(self) -> float:
        return self._loop.time() + self.passed

    def __getattr__(self, name: str) -> object:
        return getattr(self._loop, name)


async def found(resolver: Resolver, hop: NextHop) -> Located:
    waiting: asyncio.Future[Located] = asyncio.get_running_loop().create_future()
    resolver.resolve(hop, waiting.set_result)
    return await waiting


def asking(
    body: Callable[[Resolver, NameServer, Passing], Awaitable[None]], zone: Zone = ZONE, families: tuple = (4, 6)
) -> None:
    async def run() -> None:
        clock = Passing(asyncio.get_running_loop())
        with name_server(zone) as server:
            resolver = Resolver(clock, families, (server.bind,))  # type: ignore[arg-type]
            try:
                await body(resolver, server, clock)
            finally:
                resolver.close()
                await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), PATIENCE_SECONDS))


def test_the_whole_way_from_naptr_to_both_families() -> None:
    async def body(resolver: Resolver, server: NameServer, _: Passing) -> None:
        located = await found(resolver, NextHop("Example.com"))
        assert located.targets == (
            Address("192.0.2.1", 5060, "tcp"),
            Address("2001:db8::1", 5060, "tcp"),
            Address("192.0.2.1", 5060, "udp"),
            Address("2001:db8::1", 5060, "udp"),
            Address("192.0.2.1", 5062, "udp"),
            Address("2001:db8::1", 5062, "udp"),
        )
        assert {kind for _, kind, _ in server.asked} == {"NAPTR", "SRV", "A", "AAAA"}
        server.asked.clear()
        assert (await found(resolver, NextHop("example.com"))).targets == located.targets
        assert server.asked == []

    asking(body)


def test_an_alias_is_followed() -> None:
    async def body(resolver: Resolver, _: NameServer, __: Passing) -> None:
        assert (await found(resolver, NextHop("example.com", None, "udp"))).targets == (
            Address("192.0.2.1", 5060, "udp"),
            Address("192.0.2.1", 5062, "udp"),
        )

    asking(body, families=(4,))


def test_only_families_that_are_spoken_are_asked_for() -> None:
    async def body(resolver: Resolver, server: NameServer, _: Passing) -> None:
        assert (await found(resolver, SBC)).targets == (Address("192.0.2.1", 5060, "udp"),)
        assert [kind for _, kind, _ in server.asked] == ["A"]

    asking(body, families=(4,))


def test_many_who_ask_at_once_ask_once_and_literals_wait_for_nobody() -> None:
    async def body(resolver: Resolver, server: NameServer, _: Passing) -> None:
        told: list[Located] = []
        waiting = [asyncio.ensure_future(found(resolver, SBC)) for _ in range(50)]
        resolver.resolve(NextHop("192.0.2.9"), told.append)
        assert [each.targets for each in told] == [(Address("192.0.2.9", 5060, "udp"),)]
        assert len({(await each).targets for each in waiting}) == 1
        assert len(server.asked) == 1

    asking(body, families=(4,))


def test_an_answer_is_asked_for_again_when_its_time_is_over() -> None:
    async def body(resolver: Resolver, server: NameServer, clock: Passing) -> None:
        assert (await found(resolver, SBC)).targets == (Address("192.0.2.1", 5060, "udp"),)
        server.zone["sbc1.example.com", "A"] = ["192.0.2.2"]
        clock.passed += server.ttl_seconds - 5
        assert (await found(resolver, SBC)).targets == (Address("192.0.2.1", 5060, "udp"),)
        clock.passed += 10
        assert (await found(resolver, SBC)).targets == (Address("192.0.2.2", 5060, "udp"),)

    asking(body, families=(4,))


def test_a_long_answer_comes_by_tcp_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "RESOLVE_SECONDS_MAX",
        "QUESTION_SECONDS_MAX",
        "TRY_SECONDS",
    ):  # the server is a slow one, time is not tested
        monkeypatch.setattr(names, name, PATIENCE_SECONDS)
    zone = {("_sip._udp.example.com", "SRV"): [f"{each} 1 5060 h{each % 9}.example.com." for each in range(1000)]}
    zone |= {(f"h{each}.example.com", "A"): [f"192.0.2.{each}"] for each in range(9)}

    async def body(resolver: Resolver, server: NameServer, _: Passing) -> None:
        located = await found(resolver, NextHop("example.com", None, "udp"))
        assert located.targets == tuple(Address(f"192.0.2.{each}", 5060, "udp") for each in range(TARGETS_MAX))
        assert [asked[1:] for asked in server.asked[:2]] == [("SRV", "udp"), ("SRV", "tcp")]
        assert len(server.asked) == 2 + TARGETS_MAX

    asking(body, zone, families=(4,))


@pytest.mark.parametrize("hop", [NextHop("no.such.example"), NextHop("no.such.example", 5060), NextHop("x" * 64, 5060)])
def test_a_name_that_does_not_exist(hop: NextHop) -> None:
    async def body(resolver: Resolver, server: NameServer, _: Passing) -> None:
        assert await found(resolver, hop) == Located((), f"{hop.host} has no address that can be reached from here")
        asked = len(server.asked)
        assert await found(resolver, hop) == Located((), f"{hop.host} has no address that can be reached from here")
        assert len(server.asked) == asked

    asking(body)


def test_a_name_server_that_says_nothing_holds_up_those_who_ask_it_for_two_seconds_and_nobody_else() -> None:
    async def body(resolver: Resolver, server: NameServer, _: Passing) -> None:
        loop = asyncio.get_running_loop()
        server.silent.add("_sip._udp.example.com")
        start, ticks = loop.time(), []

        async def others() -> None:
            while True:
                ticks.append(loop.time())
                await asyncio.sleep(0.01)

        ticking = asyncio.ensure_future(others())
        waiting = asyncio.ensure_future(found(resolver, NextHop("example.com", None, "udp")))
        assert (await found(resolver, SBC)).targets == (Address("192.0.2.1", 5060, "udp"),)
        assert loop.time() - start < 0.5
        assert not (await waiting).targets
        assert 0.9 < loop.time() - start < names.RESOLVE_SECONDS_MAX + 0.3
        assert max(later - earlier for earlier, later in pairwise(ticks)) < 0.3
        ticking.cancel()
        start = loop.time()
        assert not (
            await found(resolver, NextHop("example.com", None, "udp"))
        ).targets  # for a while nobody waits for it again
        assert loop.time() - start < 0.1

    asking(body, families=(4,))


def test_a_search_ends_in_two_seconds_whatever_it_still_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "QUESTION_SECONDS_MAX", 60)

    async def body(resolver: Resolver, server: NameServer, _: Passing) -> None:
        loop = asyncio.get_running_loop()
        server.silent.add("sbc1.example.com")
        start = loop.time()
        assert (
            await found(resolver, SBC)
        ).trouble == "the name servers do not say which addresses sbc1.example.com has"
        assert names.RESOLVE_SECONDS_MAX - 0.1 < loop.time() - start < names.RESOLVE_SECONDS_MAX + 0.5

    asking(body, families=(4,))


@pytest.mark.parametrize("trouble", ["silent", "failing"])
def test_what_was_true_a_minute_ago_is_used_while_the_name_server_fails(
    trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(resolver: Resolver, server: NameServer, clock: Passing) -> None:
        await found(resolver, SBC)
        getattr(server, trouble).add("sbc1.example.com")
        clock.passed += server.ttl_seconds + 1
        assert (await found(resolver, SBC)).targets == (Address("192.0.2.1", 5060, "udp"),)
        assert "DNS: A sbc1.example.com" in caplog.text
        assert "the last answer stays in use" in caplog.text
        getattr(server, trouble).clear()
        server.zone["sbc1.example.com", "A"] = ["192.0.2.2"]
        clock.passed += 10
        assert (await found(resolver, SBC)).targets == (Address("192.0.2.2", 5060, "udp"),)

    asking(body, families=(4,))


def test_the_next_name_server_is_asked_where_one_is_dead() -> None:
    async def run() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead, name_server(ZONE) as server:
            dead.bind(("127.0.0.1", 0))
            servers = (Bind("127.0.0.1", dead.getsockname()[1]), server.bind)
            resolver = Resolver(asyncio.get_running_loop(), (4,), servers)
            assert (await found(resolver, SBC)).targets == (Address("192.0.2.1", 5060, "udp"),)
            resolver.close()

    asyncio.run(asyncio.wait_for(run(), PATIENCE_SECONDS))


def test_a_flood_of_names_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "QUESTIONS_MAX", 20)

    async def body(resolver: Resolver, server: NameServer, _: Passing) -> None:
        server.silent |= {f"h{each}.example" for each in range(30)}
        told: list[Located] = []
        for each in range(30):
            resolver.resolve(NextHop(f"h{each}.example", 5060), told.append)
        assert len(told) == 10
        await asyncio.sleep(0.1)
        assert len({name for name, _, _ in server.asked}) <= names.QUESTIONS_AT_ONCE_MAX

    asking(body, families=(4,))


# The hosts file


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "hosts"
    monkeypatch.setattr(names, "HOSTS", path)
    return path


def test_the_hosts_file_comes_first_and_is_read_again_when_it_changes(hosts: Path) -> None:
    hosts.write_text("# ours\n192.0.2.50 example.com  Carrier # pinned\n2001:db8::50 carrier\nnonsense carrier\n")

    async def body(resolver: Resolver, server: NameServer, clock: Passing) -> None:
        assert (await found(resolver, NextHop("EXAMPLE.com"))).targets == (Address("192.0.2.50", 5060, "udp"),)
        both = (Address("192.0.2.50", 5061, "tls"), Address("2001:db8::50", 5061, "tls"))
        assert (await found(resolver, NextHop("carrier", None, "tls"))).targets == both
        assert server.asked == []
        hosts.write_text("192.0.2.51 example.com\n")
        os.utime(hosts, (1, 1))
        clock.passed += names.LOOK_SECONDS
        await found(resolver, NextHop("example.com"))
        while (await found(resolver, NextHop("example.com"))).targets != (Address("192.0.2.51", 5060, "udp"),):
            await asyncio.sleep(0.01)

    asking(body)


def test_localhost_is_this_host_even_where_no_file_says_so(hosts: Path) -> None:
    async def body(resolver: Resolver, server: NameServer, _: Passing) -> None:
        both = (Address("127.0.0.1", 5080, "udp"), Address("::1", 5080, "udp"))
        assert (await found(resolver, NextHop("localhost", 5080))).targets == both
        assert (await found(resolver, NextHop("sip.localhost", 5080))).targets == both
        assert server.asked == []

    asking(body)


def test_a_bare_name_is_looked_for_in_the_search_domains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("search example.com\nnameserver 192.0.2.254\n")
    monkeypatch.setattr(names, "RESOLV_CONF", path)

    async def body(resolver: Resolver, server: NameServer, _: Passing) -> None:
        assert (await found(resolver, NextHop("sbc1", 5060))).targets == (Address("192.0.2.1", 5060, "udp"),)
        assert not (await found(resolver, NextHop("sbc1.example", 5060))).targets  # is whole as it stands
        assert ("sbc1.example.example.com", "A", "udp") not in server.asked

    asking(body, families=(4,))


def test_without_a_name_server_there_is_the_hosts_file(
    hosts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hosts.write_text("192.0.2.50 carrier.example\n")
    monkeypatch.setattr(names, "RESOLV_CONF", tmp_path / "none")

    async def run() -> None:
        resolver = Resolver(asyncio.get_running_loop(), (4,))
        assert (await found(resolver, NextHop("carrier.example", 5060))).targets
        assert not (await found(resolver, NextHop("other.example", 5060))).targets
        assert "only the hosts file is known" in caplog.text
        resolver.close()

    asyncio.run(asyncio.wait_for(run(), PATIENCE_SECONDS))


# Addresses left alone


def test_an_address_that_rests_is_left_out_until_its_time_or_where_all_rest() -> None:
    zone: Zone = {("_sip._udp.example.com", "SRV"): ["0 1 5060 192.0.2.1.", "1 1 5060 sbc2.example.com."]}
    zone = {**zone, ("sbc2.example.com", "A"): ["192.0.2.2"], ("sbc1.example.com", "A"): ["192.0.2.1"]}
    zone[("_sip._udp.example.com", "SRV")][0] = "0 1 5060 sbc1.example.com."  # type: ignore[index]
    hop, one, two = NextHop("example.com", None, "udp"), Address("192.0.2.1", 5060), Address("192.0.2.2", 5060)

    async def body(resolver: Resolver, _: NameServer, clock: Passing) -> None:
        assert (await found(resolver, hop)).targets == (one, two)
        resolver.rest(one, 20)
        assert (await found(resolver, hop)).targets == (two,)
        resolver.rest(two, 10)
        assert (await found(resolver, hop)).targets == (two,)  # whose rest ends first
        clock.passed += 15
        assert (await found(resolver, hop)).targets == (two,)
        resolver.wake(one)
        assert (await found(resolver, hop)).targets == (one, two)
        resolver.rest(one, 10**9)
        clock.passed += names.REST_SECONDS_MAX
        assert (await found(resolver, hop)).targets == (one, two)

    asking(body, zone, families=(4,))
