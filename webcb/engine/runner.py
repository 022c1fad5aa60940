"""The engine as a process: what it is made of, the doorbell, the looks at the rows, and its end at SIGTERM.

`main` is what `webcb engine` runs. What happens in a callback stands in exchange.py and below.
"""

import asyncio
import fcntl
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import IO, Any, Final

from rtpbridge import Bridge
from webcb import __version__, clock, db, doorbell
from webcb.billing import credentials
from webcb.engine import recovery, rows
from webcb.engine.causes import Q850, Ending
from webcb.engine.exchange import Exchange
from webcb.engine.journal import Journal
from webcb.engine.line import Line
from webcb.engine.media import SILENCE_MS, Media
from webcb.engine.recovery import Node, Watched
from webcb.engine.rows import Claimed
from webcb.engine.transport import BindProblem, Resolver, Wire, bind_udp, family_of, own_address
from webcb.settings import Bind, Settings
from webcb.sip.dialog import read_dialog
from webcb.sip.events import Address, Cause
from webcb.sip.useragent import Identity

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0  # between looks at the rows when no doorbell rings; also the node's sign of life
START_SECONDS_MAX: Final = 30
STOP_SECONDS_MAX: Final = 3.5  # for the calls to be released and settled; then the process ends all the same
JOURNAL_SECONDS_MAX: Final = 0.5  # for the database after that
IDLE_LOOK_SECONDS: Final = 0.02
BLOCKED_SECONDS_MAX: Final = 0.1  # nothing in the loop may take so long: deadlines and BYEs would be late
LOCK_FILE: Final = "engine.lock"
EXIT_CANNOT_START: Final = 2


class StartProblem(Exception):
    """The engine cannot start; the message says why and what to do."""


def main(settings: Settings) -> int:
    """Run the engine until SIGTERM or SIGINT; 0 when it ended so, 2 where it could not start (said on standard error)."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with _only_engine_of(settings), asyncio.Runner() as runner:
            runner.run(_run(settings))
    except (StartProblem, BindProblem, db.DatabaseProblem) as wrong:
        print(f"webcb engine: {wrong}", file=sys.stderr)
        return EXIT_CANNOT_START
    return 0


def _only_engine_of(settings: Settings) -> IO[str]:
    """A lock on the data directory: a second engine on it would take the first one's callbacks for lost."""
    path = settings.data_dir / LOCK_FILE
    held = path.open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        raise StartProblem(
            f"another engine runs on {settings.data_dir}; stop it, or choose another folder with WEBCB_DATA_DIR"
        ) from None
    return held


async def _run(settings: Settings) -> None:
    with ExitStack() as opened:
        engine = Engine(settings, asyncio.get_running_loop(), opened)
        await engine.start()
        await engine.stopped.wait()
        await engine.wind_up()


class Engine:
    """Everything one engine is made of. What it opens is closed by `opened`."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop, opened: ExitStack) -> None:
        self._settings = settings
        self._loop = loop
        self._opened = opened
        self.stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopped.set)
        _open_database(settings)
        resolver = Resolver(loop)
        opened.callback(resolver.close)
        self._lines = {family_of(bind.host): self._open_line(bind, resolver) for bind in settings.sip_binds}
        media = self._open_media()
        self._journal = Journal(loop.call_soon_threadsafe)
        self._journal.start()
        opened.callback(self._journal.close, JOURNAL_SECONDS_MAX)
        self._exchange = Exchange(loop, self._lines, media, self._journal, resolver)
        self._node: Node | None = None
        self._lived_until: datetime | None = None
        self._is_looking = False
        self._look_again = False
        self._next_look: asyncio.TimerHandle | None = None
        self._next_look_at = 0.0

    # Start

    def _open_line(self, bind: Bind, resolver: Resolver) -> Line:
        bound = bind_udp(bind)
        self._opened.callback(bound.close)
        wire = Wire(self._loop, bound, resolver)
        self._opened.callback(wire.close)
        told = self._settings.sip_advertised
        if told is None or family_of(told.host) not in (0, bound.family):
            told = Bind(own_address(bind.host), bind.port)
        identity = Identity(f"webcb/{__version__}", Address(told.host, told.port), "403")
        wire.line = Line(identity, os.urandom, self._loop, wire.send)
        self._opened.callback(wire.line.close)
        return wire.line

    def _open_media(self) -> Media:
        settings = self._settings
        try:
            bridge = Bridge(settings.rtp_host, settings.rtp_port_min, settings.rtp_port_max, silence_ms=SILENCE_MS)
        except (OSError, ValueError) as wrong:
            raise StartProblem(
                f"{wrong}. Choose another address with WEBCB_RTP_HOST or rtp_host in webcb.toml."
            ) from wrong
        self._opened.callback(bridge.close)
        media = Media(bridge, settings.rtp_advertised or own_address(settings.rtp_host), os.urandom)
        self._loop.add_reader(media.fileno(), media.take_events)
        self._opened.callback(self._loop.remove_reader, media.fileno())
        return media

    async def start(self) -> None:
        """Settle what an earlier engine left, then listen for the doorbell: from now on callbacks are claimed."""
        at = clock.utc_now()
        try:
            self._node = await self._ask(partial(recovery.take_node, self._settings.node_name, at))
            self._lived_until = self._node.heard_at or at
            left = partial(recovery.watch, self._node.id, frozenset(), self._lived_until, at)
            self._hang_up_left(await self._ask(left))
        except TimeoutError:
            raise StartProblem(f"the database does not answer within {START_SECONDS_MAX} s") from None
        bell = doorbell.listen(self._settings.doorbell)
        self._opened.callback(self._close_bell, bell)
        self._loop.add_reader(bell.fileno(), self._rung, bell)
        log.info(
            "engine of node %s is up: SIP on %s",
            self._settings.node_name,
            ", ".join(map(str, self._settings.sip_binds)),
        )
        self._look()

    async def _ask(self, work: Callable[[], Any]) -> Any:
        """The result of a job, waited for; its exception is raised here."""
        answered: asyncio.Future[Any] = self._loop.create_future()
        self._journal.post(work, partial(_answer, answered))
        result = await asyncio.wait_for(answered, START_SECONDS_MAX)
        if isinstance(result, Exception):
            raise result
        return result

    # Looking at the rows

    def _rung(self, bell: socket.socket) -> None:
        try:
            while True:
                bell.recv(1)
        except BlockingIOError:
            self._look()

    def _look(self) -> None:
        """Look for requests and releases; one look at a time, so that what is unknown to it is unknown to everybody."""
        if self._is_looking:
            self._look_again = True
            return
        if self._node is None or self._lived_until is None:
            return
        self._is_looking, self._look_again = True, False
        at, at_us = clock.utc_now(), int(self._loop.time() * 1_000_000)
        known = self._exchange.known
        self._journal.post(partial(recovery.watch, self._node.id, known, self._lived_until, at), self._watched)
        self._lived_until = at
        room = 0 if self.stopped.is_set() else self._exchange.room
        self._journal.post(partial(rows.claim, self._node.id, room, at, at_us), self._claimed)

    def _watched(self, result: Watched | Exception) -> None:
        if isinstance(result, Exception):
            log.error("releases could not be looked for", exc_info=result)
            return
        for callback_id, ending in result.releases:
            self._exchange.release(callback_id, ending)
        self._hang_up_left(result)

    def _claimed(self, result: Claimed | Exception) -> None:
        self._is_looking = False
        if isinstance(result, Exception):
            log.error("requests could not be looked for", exc_info=result)
        else:
            for plan in result.plans:
                self._exchange.begin(plan)
            self._look_again |= result.more and self._exchange.room > 0
        if self.stopped.is_set():
            self._exchange.release_all(Ending.ENGINE_STOPPED)
        if self._look_again and not self.stopped.is_set():
            self._look()
        else:
            self._look_later()

    def _look_later(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        self._next_look_at = self._loop.time() + LOOK_SECONDS
        self._next_look = self._loop.call_at(self._next_look_at, self._look_in_time)

    def _look_in_time(self) -> None:
        late_seconds = self._loop.time() - self._next_look_at
        if late_seconds > BLOCKED_SECONDS_MAX:
            log.warning("the engine was held up for %d ms; deadlines were late by as much", late_seconds * 1000)
        self._look()

    def _hang_up_left(self, watched: Watched) -> None:
        for leg in watched.open_legs:
            try:
                family = family_of(read_dialog(leg.dialog).next_hop.host)
                line = self._lines.get(family) or next(iter(self._lines.values()))
                line.adopt(leg.dialog, leg.credentials, Cause(0, Q850.TEMPORARY_FAILURE))
                line.flush()
            except ValueError as wrong:
                log.error("callback %s: a leg left by an earlier engine cannot be hung up: %s", leg.callback_id, wrong)

    # The end

    async def wind_up(self) -> None:
        """Release all calls and settle them, within STOP_SECONDS_MAX."""
        log.info("engine is stopping")
        self._exchange.release_all(Ending.ENGINE_STOPPED)
        end = self._loop.time() + STOP_SECONDS_MAX
        while (self._is_looking or not self._exchange.is_idle) and self._loop.time() < end:
            await asyncio.sleep(IDLE_LOOK_SECONDS)
        if not self._exchange.is_idle:
            log.warning("engine ends before every call was ended; the next one settles them")
        if self._next_look is not None:
            self._next_look.cancel()

    def _close_bell(self, bell: socket.socket) -> None:
        self._loop.remove_reader(bell.fileno())
        bell.close()
        self._settings.doorbell.unlink(missing_ok=True)


def _answer(waiting: asyncio.Future[Any], result: Any) -> None:
    if not waiting.done():
        waiting.set_result(result)


def _open_database(settings: Settings) -> None:
    credentials.use_key(settings.secret_key)
    opened = db.connect(settings.database)
    try:
        db.migrate()
    except db.UNAVAILABLE as wrong:
        raise StartProblem(f"the database cannot be opened: {wrong}") from wrong
    finally:
        opened.close()
