"""Names to addresses: what location.py wants to know is looked up in the hosts file and asked of the name servers.

Nothing here waits: a name server that is slow or silent delays who asks for its names, by RESOLVE_SECONDS_MAX at most, and
nobody else. Sources are the hosts file and DNS, no others that the host's libc may know.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from webcb.settings import Bind
from webcb.sip.answers import Answers
from webcb.sip.events import Address
from webcb.sip.location import (
    RECORDS_MAX,
    Family,
    Located,
    Naptr,
    NextHop,
    Question,
    Reply,
    Search,
    Srv,
    family_of,
    locate,
)
from webcb.watching import log as logs

log = logging.getLogger(__name__)

RESOLVE_SECONDS_MAX: Final = 2.0  # for everything that is to be known of a next hop
QUESTION_SECONDS_MAX: Final = 1.0  # for one question, whichever name servers are asked
TRY_SECONDS: Final = 0.5  # for one name server; then the next
QUESTIONS_AT_ONCE_MAX: Final = 16  # each has a socket
QUESTIONS_MAX: Final = 1000  # that wait for an answer, or for their turn
LOOK_SECONDS: Final = 5.0  # between two looks whether the files have changed
HOSTS_BYTES_MAX: Final = 4_000_000
PAYLOAD_BYTES: Final = 1232  # of a UDP answer: what passes everywhere unfragmented (DNS flag day 2020)
RESTING_MAX: Final = 1000
REST_SECONDS_MAX: Final = 300

HOSTS: Final = Path("/etc/hosts")
RESOLV_CONF: Final = Path("/etc/resolv.conf")

Found = Callable[[Located], None]
_Files = tuple[dict[str, list[str]], dns.resolver.Resolver]


@dataclass(eq=False, slots=True)
class _Asking:
    """A search and what it waits for."""

    search: Search
    found: Found
    replies: dict[Question, Reply | None] = field(default_factory=dict)
    missing: set[Question] = field(default_factory=set)
    alarm: asyncio.TimerHandle | None = None
    is_late: bool = False


class Resolver:
    """Next hops to addresses. `families` are those SIP is spoken over, the preferred one first; `servers` (): resolv.conf's."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        families: Sequence[Family],
        servers: Sequence[Bind] = (),
        draw: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        self._loop = loop
        self._families = tuple(families)
        self._servers = tuple(servers)
        self._draw = draw
        self._answers = Answers()
        self._waiting: dict[Question, list[_Asking]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(QUESTIONS_AT_ONCE_MAX)
        # Threads, as to read an answer of 64 KB takes a tenth of a second, which no call is to wait for.
        self._threads = ThreadPoolExecutor(QUESTIONS_AT_ONCE_MAX, "names")
        self._resting: dict[Address, float] = {}
        self._stamps = _stamps()
        self._hosts, self._dns = _read_files(self._servers)
        self._look_at = loop.time() + LOOK_SECONDS
        self._reading: asyncio.Future[_Files] | None = None

    # Next hops

    def resolve(self, hop: NextHop, found: Found) -> None:
        """Call `found` with the addresses of a next hop in the order they are tried; at once where nothing has to be asked.

        An address that rests is left out, unless all do: then it is the one whose rest ends first.
        """
        self.resolve_all(hop, lambda located: found(self._awake(located)))

    def resolve_all(self, hop: NextHop, found: Found) -> None:
        """The same with those that rest."""
        self._look_at_files()
        search = locate(hop, self._families, self._draw)
        self._go_on(_Asking(search, found), partial(next, search))

    def rest(self, address: Address, seconds: float) -> None:
        """Leave an address alone that did not answer or asked for it, for REST_SECONDS_MAX at most."""
        now = self._loop.time()
        if len(self._resting) >= RESTING_MAX:
            self._resting = {each: until for each, until in self._resting.items() if until > now}
        if len(self._resting) < RESTING_MAX:
            self._resting[address] = now + min(seconds, REST_SECONDS_MAX)

    def wake(self, address: Address) -> None:
        """An address answers again."""
        self._resting.pop(address, None)

    def _awake(self, located: Located) -> Located:
        now = self._loop.time()
        awake = tuple(each for each in located.targets if self._resting.get(each, 0.0) <= now)
        first_awake = sorted(located.targets, key=lambda each: self._resting.get(each, 0.0))[:1]
        return located._replace(targets=awake or tuple(first_awake))

    def close(self) -> None:
        """Answer nobody any more."""
        for asking in {each for waiting in self._waiting.values() for each in waiting}:
            if asking.alarm is not None:
                asking.alarm.cancel()
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    # A search

    def _go_on(self, asking: _Asking, step: Callable[[], tuple[Question, ...]]) -> None:
        """Take steps while everything that is asked is known; else ask, and wait for the answers."""
        while True:
            try:
                questions = step()
            except StopIteration as end:
                if asking.alarm is not None:
                    asking.alarm.cancel()
                asking.found(end.value)
                return
            asking.replies = {}
            for question in questions:
                self._look_up(question, asking)
            if asking.missing:
                break
            step = partial(asking.search.send, asking.replies)
        if asking.alarm is None:
            asking.alarm = self._loop.call_later(RESOLVE_SECONDS_MAX, self._give_up, asking)
        for question in asking.missing:
            if question not in self._waiting:
                self._waiting[question] = []
                task = self._loop.create_task(self._ask(question, logs.current()))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            self._waiting[question].append(asking)

    def _look_up(self, question: Question, asking: _Asking) -> None:
        now = self._loop.time()
        known = self._pinned(question) or self._answers.find(question, now)
        if known is not None:
            (asking.replies[question],) = known
        elif asking.is_late or (question not in self._waiting and len(self._waiting) >= QUESTIONS_MAX):
            asking.replies[question] = self._answers.stale(question, now)
        else:
            asking.missing.add(question)

    def _pinned(self, question: Question) -> tuple[Reply] | None:
        """What the hosts file says. A name that stands there has what stands there, and nothing else is asked about it."""
        name = _host_of(question.name)
        if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, 6.3
            literals = ["127.0.0.1", "::1"]
        elif name in self._hosts:
            literals = self._hosts[name]
        else:
            return None
        family = {"A": 4, "AAAA": 6}.get(question.kind)
        return ([each for each in literals if family_of(each) == family],)

    def _give_up(self, asking: _Asking) -> None:
        """The time is over: go on with what is known, up to date or not."""
        asking.is_late = True
        for question in asking.missing:
            with contextlib.suppress(KeyError, ValueError):
                self._waiting[question].remove(asking)
            asking.replies[question] = self._answers.stale(question, self._loop.time())
        asking.missing.clear()
        self._go_on(asking, partial(asking.search.send, asking.replies))

    # A question

    async def _ask(self, question: Question, callback_id: str) -> None:
        """`callback_id`: who was the first to want to know it."""
        async with self._turns:
            if not self._waiting.get(question):
                self._waiting.pop(question, None)
                return  # whoever wanted to know has gone on without
            try:
                asked = partial(_answer_of, self._dns, question)
                reply, ttl_seconds = await self._loop.run_in_executor(self._threads, asked)
            except (dns.exception.DNSException, OSError, EOFError, ValueError) as wrong:
                known = self._answers.take_silence(question, self._loop.time())
                told = "the last answer stays in use" if known is not None else "there is no earlier answer"
                with logs.about(callback_id):
                    log.warning("DNS: %s %s: %s; %s", question.kind, question.name, _in_words(wrong), told)
                self._tell(question, known)
            else:
                self._answers.take(question, reply, ttl_seconds, self._loop.time())
                self._tell(question, reply)

    def _tell(self, question: Question, reply: Reply | None) -> None:
        for asking in self._waiting.pop(question, ()):
            asking.replies[question] = reply
            asking.missing.discard(question)
            if not asking.missing:
                self._go_on(asking, partial(asking.search.send, asking.replies))

    # Files

    def _look_at_files(self) -> None:
        """Read the hosts file and resolv.conf anew where they have changed; beside the loop, for the next who asks."""
        now = self._loop.time()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        stamps = _stamps()
        if stamps == self._stamps or (self._reading is not None and not self._reading.done()):
            return
        self._stamps = stamps
        self._reading = self._loop.run_in_executor(None, _read_files, self._servers)
        self._reading.add_done_callback(self._read)

    def _read(self, reading: asyncio.Future[_Files]) -> None:
        if not reading.cancelled():
            self._hosts, self._dns = reading.result()


def _answer_of(resolver: dns.resolver.Resolver, question: Question) -> tuple[Reply, float]:
    """The records, RECORDS_MAX of them at most, and for how many seconds they are to be believed."""
    is_bare = "." not in _host_of(question.name)  # only such a name is looked for in the search domains
    try:
        name = dns.name.from_text(question.name, origin=None if is_bare else dns.name.root)
    except (dns.exception.DNSException, UnicodeError):  # no name of the name system has that form
        return (), 0.0
    try:
        answer = resolver.resolve(
            name, question.kind, raise_on_no_answer=False, lifetime=QUESTION_SECONDS_MAX, search=is_bare
        )
    except dns.resolver.NXDOMAIN as wrong:
        none: Any = wrong  # untyped in dnspython
        return (), min(each.resolve_chaining().minimum_ttl for each in none.responses().values())
    records = list(answer.rrset or ())
    if question.kind == "SRV":
        records.sort(key=lambda each: each.priority)
    return [_record(question, each) for each in records[:RECORDS_MAX]], answer.chaining_result.minimum_ttl


def _record(question: Question, given: Any) -> Naptr | Srv | str:
    match question.kind:
        case "NAPTR":
            flags, service, regexp = (
                each.decode("ascii", "replace") for each in (given.flags, given.service, given.regexp)
            )
            replacement = given.replacement.to_text(omit_final_dot=True)
            return Naptr(given.order, given.preference, flags, service, regexp, replacement)
        case "SRV":
            return Srv(given.priority, given.weight, given.port, given.target.to_text(omit_final_dot=True))
    return str(given.address)


def _host_of(name: str) -> str:
    """The name without what SRV puts before it."""
    while name.startswith("_"):
        name = name.partition(".")[2]
    return name


def _in_words(wrong: Exception) -> str:
    if isinstance(wrong, dns.exception.Timeout):
        return "no name server answered in time"
    return " ".join(str(wrong).split()) or type(wrong).__name__


def _stamps() -> tuple[float, ...]:
    stamps = []
    for path in (HOSTS, RESOLV_CONF):
        try:
            stamps.append(path.stat().st_mtime)
        except OSError:
            stamps.append(0.0)
    return tuple(stamps)


def _read_files(servers: Sequence[Bind]) -> _Files:
    return _read_hosts(), _read_resolv_conf(servers)


def _read_hosts() -> dict[str, list[str]]:
    """The literals of every name in the hosts file; a line that is none is passed over (hosts(5))."""
    hosts: dict[str, list[str]] = {}
    try:
        with HOSTS.open(encoding="utf-8", errors="replace") as file:
            text = file.read(HOSTS_BYTES_MAX)
    except OSError:
        return hosts
    for line in text.splitlines():
        literal, *names = line.partition("#")[0].split() or [""]
        with contextlib.suppress(ValueError):
            literal = str(ip_address(literal))
            for name in names:
                hosts.setdefault(name.lower().removesuffix("."), []).append(literal)
    return hosts


def _read_resolv_conf(servers: Sequence[Bind]) -> dns.resolver.Resolver:
    """Whom to ask: `servers`, or those that resolv.conf names; its search domains in both cases."""
    try:
        resolver = dns.resolver.Resolver(str(RESOLV_CONF))
    except (dns.resolver.NoResolverConfiguration, OSError, ValueError) as wrong:
        if not servers:
            log.warning("%s names no name server (%s); only the hosts file is known", RESOLV_CONF, wrong)
        resolver = dns.resolver.Resolver(configure=False)
    if servers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(each.host, each.port) for each in servers]
    resolver.timeout = TRY_SECONDS
    resolver.use_edns(0, 0, PAYLOAD_BYTES)
    return resolver
