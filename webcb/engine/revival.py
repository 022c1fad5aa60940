"""The voice of those who talk goes on before anything else of a new engine does: ports, far sides and joins from their rows.

Who they are, their dialogs and their money come after that, and take a look's time (recovery.py); until then they hear each other, to
their deadline at most. Whom that look does not find to go on falls silent with it. Nothing is written here.
"""

import errno
import json
import logging
import os
import sqlite3
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from rtpbridge import Bridge
from webcb import clock
from webcb.engine import sealing
from webcb.engine.addresses import family_of, own_address
from webcb.engine.media import SILENCE_MS, Media
from webcb.engine.steps import Steps
from webcb.engine.succession import StartProblem, identity
from webcb.settings import Settings

log = logging.getLogger(__name__)

AWAY_SECONDS_MAX: Final = 30  # who heard nothing for longer has hung up: his call is not carried on
DATABASE_SECONDS_MAX: Final = 2  # for the rows; then the voice waits as long as everything else does
NODE_CHARACTERS: Final = 48  # of the node's name, in the name of its flows in the kernel
LEGS: Final = 2
SECOND_US: Final = 1_000_000
_USED_UP: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)  # another address would not help

# Of our node as long as it is ours: another installation may work under its name.
_TALKING: Final = """
    SELECT callback.id, callback.terms, callback.deadline_at, leg.voice, leg.answered_at
      FROM node
      JOIN callback ON callback.node_id = node.id
      JOIN leg ON leg.callback_id = callback.id
     WHERE node.name = ? AND node.holder = ? AND callback.state = 'talking' AND callback.lost_at IS NULL
       AND callback.deadline_at > ? AND leg.name IN ('A', 'B') AND leg.ended_at IS NULL
       AND leg.voice IS NOT NULL AND leg.dialog IS NOT NULL AND (node.heard_at > ? OR leg.answered_at > ?)
     ORDER BY callback.id, leg.name
"""


def open_media(settings: Settings, steps: Steps) -> Media:
    """The bridge, the voice of those who talked a moment ago flowing through it, which is told with the steps that led there.

    StartProblem: there can be no bridge.
    """
    try:
        bridge = _open_bridge(settings)
    except (OSError, ValueError) as wrong:
        remedy = ". Choose another address with WEBCB_RTP_HOSTS or rtp_hosts in webcb.toml."
        is_used_up = isinstance(wrong, OSError) and wrong.errno in _USED_UP
        raise StartProblem(f"{wrong}{'' if is_used_up else remedy}") from wrong
    told = {family_of(address): address for address in settings.rtp_advertised}
    media = Media(
        bridge, {host: told.get(family_of(host)) or own_address(host) for host in settings.rtp_hosts}, os.urandom
    )
    steps.done("the bridge open")
    try:
        _revive(settings, media, steps)
    except Exception:  # whatever it is, the look at the rows will go on with them, if somewhat later
        log.warning("the voice of those who talk waits until the engine is up", exc_info=True)
    return media


def _revive(settings: Settings, media: Media, steps: Steps) -> None:
    now_micros = int(clock.utc_now().timestamp() * SECOND_US)
    away_micros = now_micros - AWAY_SECONDS_MAX * SECOND_US
    holder = identity(settings.data_dir)
    found = _rows(settings.database, (settings.node_name, holder, now_micros, away_micros, away_micros))
    steps.done("rows")
    revived = 0
    for callback_id, rows in groupby(found, key=lambda row: row[0]):
        legs = list(rows)
        if len(legs) != LEGS:
            continue
        try:
            _join(settings, media, legs, now_micros)
            revived += 1
        except Exception as wrong:
            log.warning("callback %s: its voice does not go on yet: %s", callback_id, wrong)
    if revived:
        steps.done("joined")
        log.info("the voice of %d calls goes on, %s", revived, steps)


def _join(settings: Settings, media: Media, legs: Sequence[tuple[Any, ...]], now_micros: int) -> None:
    _, terms, deadline_micros, _, answered_micros = legs[0]
    voices = []
    for *_, voice, _ in legs:
        if sealing.is_sealed(voice):
            from webcb.billing import credentials

            credentials.use_key(settings.secret_key)
        voices.append(sealing.opened(voice))
    age_seconds = max(0, now_micros - answered_micros) / SECOND_US
    media.revive(voices, age_seconds, _deadline_us(json.loads(terms), deadline_micros, now_micros))


def _deadline_us(terms: dict[str, Any], deadline_micros: int, now_micros: int) -> int:
    """The monotonic moment of a deadline: by the clocks as the callback has them set, after a reboot by the wall clock."""
    if terms["uptime"] and terms["uptime"] == clock.uptime_id():
        return int(terms["origin_us"] + deadline_micros - terms["origin_at"])
    return int(clock.monotonic() * SECOND_US) + deadline_micros - now_micros


def _rows(database: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Asked for without what the rest of the house asks by: reading that in takes longer than everything else here."""
    scheme, _, rest = database.partition("://")
    if scheme == "sqlite":
        connection = sqlite3.connect(f"file:{rest.removeprefix('/')}?mode=rw", uri=True, timeout=DATABASE_SECONDS_MAX)
        try:
            return connection.execute(_TALKING, parameters).fetchall()
        finally:
            connection.close()
    import psycopg

    options = f"-c statement_timeout={DATABASE_SECONDS_MAX * 1000}"
    with psycopg.connect(database, connect_timeout=DATABASE_SECONDS_MAX, options=options) as opened:
        return opened.execute(_TALKING.replace("?", "%s"), parameters).fetchall()


def _open_bridge(settings: Settings) -> Bridge:
    """The bridge, with the kernel path where the settings and the host let it; says in the log which it is.

    What an earlier engine left in the kernel goes on until the first look at the rows says which of its calls go on. Engines of
    one host that have their own data directories have their own RTP ports too, so that these tell whose flows are whose.
    """
    ports = settings.rtp_port_min, settings.rtp_port_max
    owner = f"{settings.node_name[:NODE_CHARACTERS]}-{settings.rtp_port_min}"
    is_wanted = settings.rtp_kernel == "auto"
    bridge = Bridge(settings.rtp_hosts, *ports, silence_ms=SILENCE_MS, kernel=is_wanted, owner=owner)
    is_used, why = bridge.kernel_state()
    if is_used:
        log.info("voice of joined legs passes through the kernel%s", f"; {why}" if why else "")
    elif is_wanted:
        log.warning("voice of joined legs passes through this process: %s", why)
    return bridge
