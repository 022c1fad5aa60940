"""The courier: tells sinks how their calls go on, at once and again until they take it; a thread of the clerk's with a loop of its own.

A message goes to one address, resolved once and judged (webcb/webhook.py): never to what is not public unless the operator has
named its network, never on by a redirect, never longer than DELIVERY_SECONDS_MAX. No URL's query, token or secret is logged.
"""

import asyncio
import logging
import ssl
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

import httpx

from webcb import __version__, camara, clock, db, sinks, webhook
from webcb.billing import credentials
from webcb.models import Callback, Leg
from webcb.settings import Settings

log = logging.getLogger("webcb.clerk")
logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log every URL in full

LOOK_SECONDS: Final = 0.5
AGAIN_SECONDS: Final = 5.0  # after the database was away
DELIVERY_SECONDS_MAX: Final = 5.0
ANSWER_BYTES_MAX: Final = 64 * 1024
AT_ONCE: Final = 16
AT_ONCE_TO_HOST: Final = 4  # one that is slow does not keep the others waiting
SWEPT_EVERY: Final = timedelta(minutes=10)
GONE: Final = 410  # HTTP: do not come again

Resolve = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message in hand: where it goes, what it says, and what proves it is ours."""

    event_id: int
    tries: int
    target: webhook.Target
    message_id: str
    body: bytes
    token: str
    secret: str
    callback_id: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try; `is_final`: it is not tried again, be it taken or not."""

    is_taken: bool
    said: str
    is_final: bool = False


class Undeliverable(Exception):
    """A message that no further try would bring there; the text says why."""


class Courier:
    """Delivers what is due until it is told to stop. `resolve` is the name service, `tls` whom it trusts."""

    def __init__(self, settings: Settings, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._networks = webhook.read_networks(settings.webhook_networks)
        self._public_url = settings.public_url
        self._resolve = resolve or _resolve
        self._tls = tls or ssl.create_default_context()  # the certificates that the host trusts
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._work()), name="courier", daemon=True)
        self._in_hand: dict[int, asyncio.Task[None]] = {}
        self._hosts: Counter[str] = Counter()
        self._swept_at: datetime | None = None

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is in hand and stop."""
        self._stopping.set()
        self._thread.join(DELIVERY_SECONDS_MAX + 1)

    async def _work(self) -> None:
        limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=0)
        # No proxy, netrc or certificate folder of the environment: what is connected to is what was judged.
        async with httpx.AsyncClient(
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
            limits=limits,
            timeout=None,  # noqa: S113 - the whole has one
        ) as client:
            while not self._stopping.is_set():
                seconds = LOOK_SECONDS
                try:
                    self._take_due(client, clock.utc_now())
                except db.UNAVAILABLE as wrong:
                    log.warning("the database is away: %s", wrong)
                    _drop_connection()
                    seconds = AGAIN_SECONDS
                await self._pause(seconds)
            if self._in_hand:
                await asyncio.wait(self._in_hand.values(), timeout=DELIVERY_SECONDS_MAX)
        _drop_connection()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not for what can be gone on with: a try that has ended, the word to stop."""
        if self._in_hand:
            await asyncio.wait(self._in_hand.values(), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.to_thread(self._stopping.wait, seconds)

    def _take_due(self, client: httpx.AsyncClient, at: datetime) -> None:
        db.database.connect(reuse_if_open=True)
        if self._swept_at is None or at - self._swept_at > SWEPT_EVERY:
            sinks.sweep(at)
            self._swept_at = at
        for row in sinks.due(at, AT_ONCE * 4):
            if len(self._in_hand) >= AT_ONCE:
                return
            if row.id in self._in_hand or not self._has_room(row.sink.url) or not sinks.claim(row, at):
                continue
            try:
                parcel = parcel_of(row, self._networks, at, self._public_url)
            except Undeliverable as wrong:
                sinks.note(row.id, row.tries + 1, str(wrong), at, is_final=True)
                continue
            self._in_hand[row.id] = asyncio.create_task(self._carry(client, parcel))

    def _has_room(self, url: str) -> bool:
        try:
            return self._hosts[webhook.read_url(url, self._networks).host] < AT_ONCE_TO_HOST
        except ValueError:
            return True

    async def _carry(self, client: httpx.AsyncClient, parcel: Parcel) -> None:
        host = parcel.target.host
        self._hosts[host] += 1
        try:
            outcome = await deliver(client, parcel, self._networks, self._resolve, clock.utc_now())
            _note(parcel, outcome, clock.utc_now())
            log.info(
                "callback %s: event %d to %s, try %d: %s",
                parcel.callback_id,
                parcel.event_id,
                host,
                parcel.tries,
                outcome.said,
            )
        except db.UNAVAILABLE as wrong:
            # It is due again after TAKEN.
            log.warning("callback %s: event %d: the database is away: %s", parcel.callback_id, parcel.event_id, wrong)
        except Exception:
            log.exception("callback %s: event %d: a fault of ours", parcel.callback_id, parcel.event_id)
        finally:
            self._hosts[host] -= 1
            self._in_hand.pop(parcel.event_id, None)


def _note(parcel: Parcel, outcome: Outcome, at: datetime) -> None:
    sinks.note(parcel.event_id, parcel.tries, outcome.said, at, is_taken=outcome.is_taken, is_final=outcome.is_final)


def _drop_connection() -> None:
    if not db.database.is_closed():
        db.database.close()


# Sending -------------------------------------------------------------------------------------------------------------


async def deliver(
    client: httpx.AsyncClient, parcel: Parcel, networks: tuple[Any, ...], resolve: Resolve, at: datetime
) -> Outcome:
    """Send a message, once; whatever goes wrong is its outcome."""
    try:
        async with asyncio.timeout(DELIVERY_SECONDS_MAX):
            address = await _address(parcel.target, networks, resolve)
            return await _send(client, parcel, address, at)
    except Undeliverable as wrong:
        return Outcome(False, str(wrong))
    except TimeoutError:
        return Outcome(False, f"no answer within {DELIVERY_SECONDS_MAX:.0f} s")
    except OSError:
        return Outcome(False, "its name cannot be resolved")
    except httpx.HTTPError as wrong:
        return Outcome(False, f"not reached: {type(wrong).__name__}")


async def _address(target: webhook.Target, networks: tuple[Any, ...], resolve: Resolve) -> str:
    """The one address to connect to. What was judged is what is used: a name that changes in between changes nothing."""
    found = await resolve(target.host, target.port)
    for each in found:
        address = ip_address(each.partition("%")[0])
        if webhook.may_reach(address, networks):
            return str(address)
    raise Undeliverable("its name leads to no public address" if found else "its name has no address")


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, proto=6)  # TCP
    return [str(each[4][0]) for each in found]


async def _send(client: httpx.AsyncClient, parcel: Parcel, address: str, at: datetime) -> Outcome:
    target = parcel.target
    literal = f"[{address}]" if ":" in address else address
    url = f"{'https' if target.is_tls else 'http'}://{literal}:{target.port}{target.path}"
    headers = {
        "Host": target.authority,
        "Content-Type": camara.CONTENT_TYPE,
        "User-Agent": f"webcb/{__version__}",
        "Accept-Encoding": "identity",
        "webhook-id": parcel.message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": webhook.signature(parcel.secret, parcel.message_id, at, parcel.body),
    }
    if parcel.token:
        headers["Authorization"] = f"Bearer {parcel.token}"
    # The certificate is judged by the name that was asked for, not by the address.
    extensions = {"sni_hostname": target.host}
    async with client.stream("POST", url, content=parcel.body, headers=headers, extensions=extensions) as answer:
        read = 0
        async for chunk in answer.aiter_raw():
            read += len(chunk)
            if read > ANSWER_BYTES_MAX:
                return Outcome(False, f"it answered with more than {ANSWER_BYTES_MAX // 1024} KB")
    return Outcome(answer.is_success, f"answered {answer.status_code}", is_final=answer.status_code == GONE)


# Messages ------------------------------------------------------------------------------------------------------------


def parcel_of(row: Any, networks: tuple[Any, ...], at: datetime, public_url: str = "") -> Parcel:
    """The message of an event. Raises Undeliverable."""
    sink = row.sink
    try:
        target = webhook.read_url(sink.url, networks)
    except ValueError as wrong:
        raise Undeliverable(f"not sent: {wrong}") from None
    if sink.token_expires_at is not None and sink.token_expires_at <= at:
        raise Undeliverable("not sent: its access token has expired")
    try:
        token, secret = credentials.unseal(sink.sealed_token), credentials.unseal(sink.api_key.sealed_webhook_secret)
    except credentials.SealProblem:
        raise Undeliverable("not sent: its secret was sealed with another secret key") from None
    event = camara.event(_change(row), public_url)
    return Parcel(
        row.id, row.tries + 1, target, event["id"], camara.written(event), token, secret, sink.__data__["callback"]
    )


def _change(row: Any) -> camara.Change:
    callback = Callback.get_by_id(row.sink.__data__["callback"])
    digits = {leg.name: leg.cld for leg in Leg.select().where(Leg.callback == callback)}
    is_over = row.state == "ended"
    has_talked = callback.talking_at is not None
    talked = callback.ended_at - callback.talking_at if is_over and has_talked else timedelta()
    return camara.Change(
        event_id=row.id,
        call_id=callback.id,
        caller=digits["A"],
        callee=digits["B"],
        status=camara.status(row.state, callback.ending, has_talked=has_talked and is_over),
        at=row.at,
        duration_seconds=max(0, round(talked.total_seconds())),
    )
