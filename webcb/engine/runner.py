"""The engine as a process: what it is made of, the doorbell, and its end at SIGTERM or SIGINT.

How it starts stands in start.py; what happens in a callback in exchange.py and below.
"""

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, Final

from webcb import __version__, clock, db, doorbell, haste
from webcb.billing import credentials
from webcb.engine import counted, lease, spool
from webcb.engine.addresses import family_of, own_address
from webcb.engine.causes import Ending
from webcb.engine.counted import Pulse
from webcb.engine.exchange import Exchange
from webcb.engine.journal import Journal
from webcb.engine.line import Line, Timekeeper
from webcb.engine.lookout import Lookout
from webcb.engine.media import Media
from webcb.engine.names import Resolver
from webcb.engine.prober import Prober
from webcb.engine.registrar import Registrations
from webcb.engine.spool import Spool
from webcb.engine.standing import Standing
from webcb.engine.succession import EXIT_CANNOT_START, STANDS_BY, TAKES_OVER, StartProblem, identity
from webcb.engine.transport import BindProblem, Wire, bind_tcp, bind_udp
from webcb.engine.turns import Turns
from webcb.prompts.library import Library
from webcb.settings import Bind, Settings
from webcb.sip import location
from webcb.sip.events import Address
from webcb.sip.location import Family
from webcb.sip.useragent import Identity
from webcb.watching import counting

log = logging.getLogger(__name__)

CALLBACKS_MAX: Final = 2000  # at once in one engine; further ones wait as rows
PORTS_OF_CALLBACK: Final = 4  # RTP and RTCP for each leg, a descriptor each
FILES_OF_ENGINE: Final = 64  # descriptors for everything else
START_SECONDS_MAX: Final = 30
STOP_SECONDS_MAX: Final = 3.5  # for the calls to be released and settled; then the process ends all the same
UNREGISTER_SECONDS_MAX: Final = 0.5  # for the carriers to say that our registrations are gone
JOURNAL_SECONDS_MAX: Final = 0.5  # for the database after that
RIVAL_LOOK_SECONDS: Final = 1.0  # between two looks whether the node can be had
IDLE_LOOK_SECONDS: Final = 0.02  # between two questions whether all has ended
HAND_OVER_SECONDS_MAX: Final = 20.0  # for those being set up to talk or end before the next engine takes over
FAULTY_FILE: Final = "settlements.faulty"  # of the spool, for somebody to look at
COLLECT_EVERY: Final = 20_000  # objects more than before: some ten callbacks (Python's own: 700)
COLLECT_SECONDS: Final = 60.0  # and so often in any case
IDLE_MS: Final = (
    700  # of a transaction: an engine that is cut off as it claims must not keep the others from what it has not got
)
EXIT_FENCED: Final = 1


def run(settings: Settings, nice: int, media: Media) -> int:
    """Run the engine until SIGTERM or SIGINT; 0 when it ended so, 2 where it could not start (said on standard error), 1 where
    another took its node.

    `media` has the voice of those who go on with their calls already; `nice` is how we come once these are heard.
    """
    counting.share(settings.data_dir)
    media.find_prompt, media.count = Library(settings.data_dir).find, counted.voice
    try:
        with asyncio.Runner() as runner:
            return runner.run(_run(settings, nice, media))
    except (StartProblem, BindProblem, db.DatabaseProblem) as wrong:
        print(f"webcb engine: {wrong}", file=sys.stderr)
        return EXIT_CANNOT_START


async def _run(settings: Settings, nice: int, media: Media) -> int:
    with ExitStack() as opened:
        engine = Engine(settings, asyncio.get_running_loop(), opened, nice, media)
        if not await engine.start():
            return 0
        await engine.stopped.wait()
        if engine.is_fenced:
            return EXIT_FENCED
        await engine.make_room()
        await engine.wind_up()
    return 0


def spare_garbage_collection() -> None:
    """What is there by now stays to the end, and is not looked through again and again; what comes is mostly freed without that."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)


def collect_every_minute(timekeeper: Timekeeper) -> None:
    """Free what knows itself, from a minute on and every minute: a TLS connection that ended has a third of a megabyte.

    A callback that has ended leaves nothing of the kind, so that nothing would come to COLLECT_EVERY. It takes a millisecond where
    fifty callbacks go on, some 40 where 2,000 do; voice has a thread of its own.
    """
    timekeeper.call_at(timekeeper.time() + COLLECT_SECONDS, _collect, timekeeper)


def _collect(timekeeper: Timekeeper) -> None:
    gc.collect()
    collect_every_minute(timekeeper)


class Engine:
    """Everything one engine is made of. What it opens is closed by `opened`."""

    def __init__(
        self, settings: Settings, loop: asyncio.AbstractEventLoop, opened: ExitStack, nice: int, media: Media
    ) -> None:
        self._settings = settings
        self._media = media
        opened.callback(self._close_media)
        self._nice = nice  # as it comes when nobody waits for it in silence
        self._loop = loop
        self._opened = opened
        self.stopped = asyncio.Event()
        self.is_fenced = False
        self._leaves_calls = False
        self._leaves_voice = False
        self._has_patience = False  # with those being set up
        self._is_to_hand_over = False  # to who stands by next
        loop.add_signal_handler(signal.SIGTERM, self._stop, True)
        loop.add_signal_handler(signal.SIGINT, self._stop, False)
        loop.add_signal_handler(signal.SIGHUP, self._expect_next)
        _open_database(settings)
        resolver = Resolver(loop, _families(settings), settings.dns_servers)
        opened.callback(resolver.close)
        self._deaf: list[tuple[Wire, socket.socket]] = []  # until the calls of an engine before us are known
        self._lines = {family_of(bind.host): self._open_line(bind, resolver) for bind in settings.sip_binds}
        self._journal = self._open_desk()
        self._callbacks_max = _callbacks_max(settings)
        self._registrations = Registrations(
            loop, clock.utc_now, self._lines, self._journal.post, resolver, settings.node_name
        )
        opened.callback(self._registrations.close)
        post, on_return = self._journal.post, self._registrations.refresh
        self._prober = Prober(loop, clock.utc_now, self._lines, post, resolver, on_return)
        opened.callback(self._prober.close)
        standing = Standing(self._prober, self._registrations)
        self._spool = Spool(settings.data_dir / spool.FILE)
        self._exchange = Exchange(
            loop, self._lines, media, self._journal, resolver, self._callbacks_max, standing, self._spool
        )
        if db.dialect() != "sqlite":  # there may be other nodes
            self._exchange.starts.turns = Turns(self._open_desk())

    # Start

    def _open_desk(self) -> Journal:
        desk = Journal(self._loop.call_soon_threadsafe)
        desk.start()
        self._opened.callback(desk.close, JOURNAL_SECONDS_MAX)
        return desk

    def _open_line(self, bind: Bind, resolver: Resolver) -> Line:
        bound = bind_udp(bind)
        self._opened.callback(bound.close)
        wire = Wire(self._loop, bound, resolver, is_deaf=True)
        listening = bind_tcp(bind)
        self._opened.callback(listening.close)
        self._opened.callback(wire.close)  # before the socket that it may be listening to
        self._deaf.append((wire, listening))
        told = self._settings.sip_advertised
        if told is None or family_of(told.host) not in (0, bound.family):
            told = Bind(own_address(bind.host), bind.port)
        identity = Identity(f"webcb/{__version__}", Address(told.host, told.port), self._settings.sip_strangers)
        wire.line = Line(identity, os.urandom, self._loop, wire.send, wire.elsewhere)
        self._opened.callback(wire.line.close)
        return wire.line

    async def start(self) -> bool:
        """Begin to look at the rows; the first look settles what an earlier engine left. The doorbell says that we are up.

        False: we were told to end while another engine worked as our node.
        """
        settings = self._settings
        node = await self._take_node()
        if node is None:
            return False
        self._journal.fence(partial(lease.hold, node), self._fenced)
        await self._settle_what_was_spooled()
        self.lookout = Lookout(self._loop, clock.utc_now, self._lines, self._journal, self._exchange, node, self._hear)
        self._opened.callback(self.lookout.close)
        pulse = Pulse(self._loop, self._exchange, lambda: self._journal.waiting, self._lines.values())
        self._opened.callback(pulse.close)
        self.lookout.look()
        self._prober.look()
        self._registrations.look()
        bell = doorbell.listen(settings.doorbell)
        self._opened.callback(self._close_bell, bell)
        self._loop.add_reader(bell.fileno(), self._rung, bell)
        if settings.database.startswith("postgresql:"):
            far_bell = doorbell.FarBell(
                settings.database, partial(self._loop.call_soon_threadsafe, self.lookout.look_soon)
            )
            far_bell.start()
            self._opened.callback(far_bell.close)
        told = ", ".join(map(str, settings.sip_binds))
        spare_garbage_collection()
        collect_every_minute(self._loop)
        log.info(
            "engine of node %s is up: SIP on %s, %d callbacks at once", settings.node_name, told, self._callbacks_max
        )
        return True

    async def _take_node(self) -> lease.Node | None:
        """The node, as soon as nobody else works under its name; None where we are told to end before."""
        name, holder = self._settings.node_name, identity(self._settings.data_dir)
        rival: lease.Rival | None = None
        since = 0.0
        while not self.stopped.is_set():
            now = self._loop.time()
            silent = rival if now - since >= lease.LEASE_SECONDS else None
            try:
                taken = await self._ask(partial(lease.take, name, holder, clock.utc_now(), silent))
            except TimeoutError:
                raise StartProblem(f"the database does not answer within {START_SECONDS_MAX} s") from None
            if isinstance(taken, lease.Node):
                return taken
            if rival is None:
                log.warning(
                    "waits: an engine of %s works as node %s; one of them needs another node_name", taken.holder, name
                )
            if taken != rival:
                rival, since = taken, now
            await asyncio.sleep(RIVAL_LOOK_SECONDS)
        return None

    def _fenced(self) -> None:
        """Another engine took our node while we were not heard: it has our calls, and what we did to them would be done twice."""
        log.critical("another engine works as node %s by now: this one ends at once", self._settings.node_name)
        self.is_fenced = True
        self.stopped.set()

    async def _settle_what_was_spooled(self) -> None:
        """What an engine before this one could not tell the database, before a look takes those callbacks for lost."""
        faulty = []
        for line in self._spool.left():
            try:
                log.info("callback %s: settled from the file", await self._ask(partial(spool.replay, line)))
            except TimeoutError:
                raise StartProblem(f"the database does not answer within {START_SECONDS_MAX} s") from None
            except Exception:
                log.exception("a settlement on file cannot be made; it is left in %s", FAULTY_FILE)
                faulty.append(line)
        if faulty:
            with (self._settings.data_dir / FAULTY_FILE).open("a") as file:
                file.writelines(f"{line}\n" for line in faulty)
        self._spool.clear()

    def _hear(self) -> None:
        """What came to our addresses since they were bound, and all that comes: a BYE of a call must not find it unknown."""
        if self._deaf:
            haste.come_as(self._nice)
            self._loop.add_reader(self._media.fileno(), self._media.take_events)
            self._opened.callback(self._loop.remove_reader, self._media.fileno())
        while self._deaf:
            wire, listening = self._deaf.pop()
            wire.hear()
            wire.streams.listen(listening)

    async def _ask(self, work: Callable[[], Any]) -> Any:
        """The result of a job, waited for; its exception is raised here."""
        answered: asyncio.Future[Any] = self._loop.create_future()
        self._journal.post(work, partial(_answer, answered))
        result = await asyncio.wait_for(answered, START_SECONDS_MAX)
        if isinstance(result, Exception):
            raise result
        return result

    def _rung(self, bell: socket.socket) -> None:
        try:
            while True:
                self._take_word(bell.recv(1))
        except BlockingIOError:
            self.lookout.look()

    def _take_word(self, said: bytes) -> None:
        if said == TAKES_OVER or (said == STANDS_BY and self._is_to_hand_over):
            if not self.stopped.is_set():
                log.info("the next engine is there: it is handed the calls that talk")
            self._leaves_calls = self._has_patience = True
            self.stopped.set()

    # The end

    def _stop(self, leaves_calls: bool) -> None:
        """SIGTERM leaves those who talk to the next engine, SIGINT ends all, also as a second signal."""
        self._leaves_calls = leaves_calls and (not self.stopped.is_set() or self._has_patience)
        self._has_patience = False
        self.stopped.set()

    def _expect_next(self) -> None:
        """SIGHUP: go on until the next engine is warm, then make room for it."""
        log.info("SIGHUP: makes room for the next engine as soon as that stands by")
        self._is_to_hand_over = True

    async def make_room(self) -> None:
        """Claim no more, and wait until nobody is being set up any more; not where a signal wants us to end at once."""
        self.lookout.claim_no_more()
        end = self._loop.time() + HAND_OVER_SECONDS_MAX
        while self._has_patience and self._loop.time() < end:
            if self._exchange.is_still and not self.lookout.is_looking:
                return
            await asyncio.sleep(IDLE_LOOK_SECONDS)

    def _close_media(self) -> None:
        if not self._leaves_voice:  # else it flows until the process is gone, and the far sides are told no RTCP BYE
            self._media.close()

    async def wind_up(self) -> None:
        """Release the calls, or only those that do not talk yet, and settle them, within STOP_SECONDS_MAX."""
        log.info("engine is stopping")
        end = self._loop.time() + STOP_SECONDS_MAX
        while self._loop.time() < end:
            # Also what a look on its way still brings.
            self._exchange.release_all(Ending.ENGINE_STOPPED, and_those_that_go_on=not self._leaves_calls)
            if self._exchange.is_idle and not self.lookout.is_looking:
                break
            if self._leaves_calls and self._exchange.is_still and not self.lookout.is_looking:
                break
            await asyncio.sleep(IDLE_LOOK_SECONDS)
        else:
            log.warning("engine ends before every call has ended; the next one settles what is left")
        if self._leaves_calls and self._exchange.going_on:
            self._leaves_voice = True
            log.info("%d calls are left to the next engine", self._exchange.going_on)
            return  # and our registrations: the next one refreshes them
        self._registrations.leave_all()  # after the calls: a carrier may drop those of whom it knows no more
        end = self._loop.time() + UNREGISTER_SECONDS_MAX
        while not self._registrations.is_idle and self._loop.time() < end:
            await asyncio.sleep(IDLE_LOOK_SECONDS)

    def _close_bell(self, bell: socket.socket) -> None:
        self._loop.remove_reader(bell.fileno())
        bell.close()
        self._settings.doorbell.unlink(missing_ok=True)


def _families(settings: Settings) -> list[Family]:
    """The families SIP is spoken over; those of the voice first, as a leg's voice is of the family of its SIP."""
    families = [family for bind in settings.sip_binds if (family := location.family_of(bind.host))]
    voices = [location.family_of(host) for host in settings.rtp_hosts]
    return sorted(families, key=lambda family: voices.index(family) if family in voices else len(voices))


def _callbacks_max(settings: Settings) -> int:
    """How many callbacks the RTP ports and the descriptors of this process are enough for; takes all it may have of these.

    So a callback that begins finds what both its legs need. StartProblem: it would not be enough for one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CALLBACKS_MAX * PORTS_OF_CALLBACK + FILES_OF_ENGINE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    files = wanted if soft == resource.RLIM_INFINITY else soft
    ports = settings.rtp_port_max - settings.rtp_port_min + 1
    enough_for = min(CALLBACKS_MAX, ports // PORTS_OF_CALLBACK, (files - FILES_OF_ENGINE) // PORTS_OF_CALLBACK)
    if enough_for < 1:
        raise StartProblem(
            f"{files} descriptors (ulimit -n) are not enough: the engine needs {FILES_OF_ENGINE}, "
            f"a callback {PORTS_OF_CALLBACK} more"
        )
    return enough_for


def _answer(waiting: asyncio.Future[Any], result: Any) -> None:
    if not waiting.done():
        waiting.set_result(result)


def _open_database(settings: Settings) -> None:
    credentials.use_key(settings.secret_key)
    opened = db.connect(settings.database, idle_ms=IDLE_MS)
    try:
        db.migrate()
    except db.UNAVAILABLE as wrong:
        raise StartProblem(f"the database cannot be opened: {wrong}") from wrong
    finally:
        opened.close()
