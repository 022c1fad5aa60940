"""A client of the API, typed, for programs in Python: places, follows and ends calls, reads accounts, applies the configuration.

    with Client("https://calls.example.com", key) as webcb:
        call = webcb.place("+5511999887766", "+12065550123", order="4711")
        for call in webcb.follow(call.id):
            print(call.status, call.reason)

Whatever is asked for twice because an answer got lost is done once: every order has an Idempotency-Key. Amounts are Decimal.
"""

import secrets
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import httpx

from webcb import clock, webhook

TRIES: Final = 3
WAIT_SECONDS_MAX: Final = 30.0
OVER: Final = frozenset({"disconnected", "failed"})
_AGAIN: Final = frozenset({502, 503, 504})


class ApiProblem(Exception):
    """The service said no. `code` is CAMARA's, or the title of the problem; `details` are what is wrong with a file."""

    def __init__(self, status: int, code: str, said: str, details: tuple[Any, ...] = ()) -> None:
        super().__init__(f"{status} {code}: {said}")
        self.status, self.code, self.said, self.details = status, code, said, details


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it stands. `reason` and `duration_seconds` (of talk) are known once it is disconnected."""

    id: str
    caller: str
    callee: str
    status: str
    reason: str | None
    duration_seconds: int | None
    created_at: datetime

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in OVER


@dataclass(frozen=True, slots=True)
class Quote:
    """What a call would cost, a minute, and how long it may last."""

    currency: str
    longest_seconds: int
    caller_per_minute: Decimal
    callee_per_minute: Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """An account and its funds; the account of a key knows no more than `id` and funds."""

    id: str
    currency: str
    balance: Decimal
    locked: Decimal
    credit_limit: Decimal
    available: Decimal
    customer: str | None = None
    product: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Xdr:
    """A rated leg of a call."""

    id: int
    kind: str
    call_id: str
    leg: str
    number: str
    connect_time: datetime | None
    bill_time: datetime
    used_seconds: int
    charged_seconds: int
    amount: Decimal
    currency: str
    cause: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What a provisioning file changed, or would change."""

    dry_run: bool
    changes: tuple[str, ...]
    notes: tuple[str, ...]


class Client:
    """The API at `url`, asked with `key`. What fails for a moment is asked again, `tries` times in all. Raises ApiProblem."""

    def __init__(self, url: str, key: str, *, timeout_seconds: float = 15.0, tries: int = TRIES) -> None:
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1",
            headers={"Authorization": f"Bearer {key}"},
            timeout=timeout_seconds,
            follow_redirects=False,  # a key is sent to nobody else
        )
        self._tries = tries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # Calls -----------------------------------------------------------------------------------------------------------

    def place(
        self,
        caller: str,
        callee: str,
        *,
        order: str | None = None,
        sink: str | None = None,
        sink_token: tuple[str, datetime] | None = None,
    ) -> Call:
        """Call `caller`, then `callee`. `order` names it: the same order is the same call. `sink` is told how it goes on."""
        sent: dict[str, Any] = {"caller": {"number": caller}, "callee": {"number": callee}}
        if sink is not None:
            sent["sink"] = sink
        if sink_token is not None:
            token, expires_at = sink_token
            sent["sinkCredential"] = {
                "credentialType": "ACCESSTOKEN",
                "accessToken": token,
                "accessTokenExpiresUtc": expires_at.isoformat(),
                "accessTokenType": "bearer",
            }
        return _call(self._json("POST", "/click-to-dial/calls", json=sent, headers=_named(order)))

    def say_code(self, caller: str, callee: str, *, language: str = "en", again: bool = False) -> bool:
        """Have `caller` called and told a code; False where none is needed. `again`: he has not heard the last one."""
        sent = {"caller": {"number": caller}, "callee": {"number": callee}, "language": language, "again": again}
        return bool(self._json("POST", "/codes", json=sent)["state"] != "not needed")

    def enter_code(self, caller: str, callee: str, code: str) -> datetime:
        """The code that `caller` heard; returns until when it proves his number. A wrong one is an ApiProblem CODE_WRONG."""
        sent = {"caller": {"number": caller}, "callee": {"number": callee}, "code": code}
        return datetime.fromisoformat(self._json("POST", "/codes/heard", json=sent)["provenUntil"])

    def call(self, call_id: str) -> Call:
        """Where a call stands."""
        return _call(self._json("GET", f"/click-to-dial/calls/{quote(call_id, safe='')}"))

    def follow(self, call_id: str, *, every_seconds: float = 1.0) -> Iterator[Call]:
        """The call each time its status has changed, until it is over."""
        seen = None
        while True:
            call = self.call(call_id)
            if call.status != seen:
                seen = call.status
                yield call
            if call.is_over:
                return
            _wait(every_seconds)

    def hang_up(self, call_id: str) -> None:
        """End a call; one that has ended stays as it is."""
        try:
            self._answer("DELETE", f"/click-to-dial/calls/{quote(call_id, safe='')}")
        except ApiProblem as wrong:
            if wrong.status != 409:
                raise

    # The account of the key ------------------------------------------------------------------------------------------

    def quote(self, caller: str, callee: str) -> Quote:
        """What a call would cost; calls nobody."""
        found = self._json("POST", "/quotes", json={"caller": {"number": caller}, "callee": {"number": callee}})
        per_minute = {name: Decimal(found[name]["pricePerMinute"]) for name in ("caller", "callee")}
        return Quote(found["currency"], found["longestSeconds"], per_minute["caller"], per_minute["callee"])

    def account(self) -> Account:
        """The key's own account."""
        return _account(self._json("GET", "/account"))

    def xdrs(self) -> Iterator[Xdr]:
        """The xDRs of the key's account, newest first, page after page."""
        return (_xdr(each) for each in self._pages("/xdrs"))

    # With a key of the operator --------------------------------------------------------------------------------------

    def accounts(self, *, customer: str | None = None) -> Iterator[Account]:
        """All accounts, or those of a customer."""
        asked = {} if customer is None else {"customer": customer}
        return (_account(each) for each in self._pages("/accounts", asked))

    def account_of(self, account_id: str) -> Account:
        """An account by its ID."""
        return _account(self._json("GET", f"/accounts/{quote(account_id, safe='')}"))

    def xdrs_of(self, account_id: str) -> Iterator[Xdr]:
        """The xDRs of an account, newest first."""
        return (_xdr(each) for each in self._pages(f"/accounts/{quote(account_id, safe='')}/xdrs"))

    def change_funds(
        self, account_id: str, kind: str, amount: Decimal, *, note: str = "", order: str | None = None
    ) -> Account:
        """A payment, a credit or a charge by hand; `order` names it, and the same order is posted once."""
        sent = {"kind": kind, "amount": f"{amount:f}", "note": note}
        where = f"/accounts/{quote(account_id, safe='')}/funds"
        return _account(self._json("POST", where, json=sent, headers=_named(order)))

    def export(self) -> str:
        """The configuration, as a file for `apply`."""
        return self._answer("GET", "/provisioning").text

    def apply(self, file: str, *, dry_run: bool = False, set_passwords: bool = False) -> Applied:
        """Make the configuration what a file (YAML) says: all of it or nothing."""
        flags = {"dryRun": str(dry_run).lower(), "setPasswords": str(set_passwords).lower()}
        headers = {"Content-Type": "application/yaml"}
        found = self._json("POST", "/provisioning", params=flags, content=file.encode(), headers=headers)
        return Applied(found["dryRun"], tuple(found["changes"]), tuple(found["notes"]))

    # Asking ----------------------------------------------------------------------------------------------------------

    def _pages(self, where: str, asked: Mapping[str, str] | None = None) -> Iterator[Any]:
        params: dict[str, Any] = {"limit": 200, **(asked or {})}
        while True:
            page = self._json("GET", where, params=params)
            yield from page["items"]
            if page["next"] is None:
                return
            params["after"] = page["next"]

    def _json(self, method: str, where: str, **sent: Any) -> Any:
        return self._answer(method, where, **sent).json()

    def _answer(self, method: str, where: str, **sent: Any) -> httpx.Response:
        tries_left = self._tries
        while True:
            tries_left -= 1
            try:
                answer = self._http.request(method, where, **sent)
            except httpx.TransportError:
                if not tries_left:
                    raise
                _wait(1.0)
                continue
            if answer.is_success:
                return answer
            seconds = _retry_after(answer)
            if not tries_left or answer.status_code not in _AGAIN or seconds > WAIT_SECONDS_MAX:
                raise _problem(answer)
            _wait(seconds)


def is_ours(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a webhook was signed with the secret of the key, not long ago. Names of `headers` in small letters."""
    return webhook.is_signed_by(secret, headers, body, clock.utc_now())


def _named(order: str | None) -> dict[str, str]:
    return {"Idempotency-Key": order or secrets.token_urlsafe(24)}


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def _retry_after(answer: httpx.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 1.0


def _problem(answer: httpx.Response) -> ApiProblem:
    try:
        said = answer.json()
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    code = str(said.get("code", said.get("title", answer.reason_phrase)))
    text = str(said.get("message", said.get("detail", "")))
    return ApiProblem(answer.status_code, code, text, tuple(said.get("problems", ())))


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _call(found: Mapping[str, Any]) -> Call:
    duration = found.get("callDuration")
    return Call(
        id=found["callId"],
        caller=found["caller"]["number"],
        callee=found["callee"]["number"],
        status=found["status"],
        reason=found.get("reason"),
        duration_seconds=None if duration is None else int(duration),
        created_at=datetime.fromisoformat(found["createdAt"]),
    )


def _account(found: Mapping[str, Any]) -> Account:
    return Account(
        id=found["id"],
        currency=found["currency"],
        balance=Decimal(found["balance"]),
        locked=Decimal(found["locked"]),
        credit_limit=Decimal(found["creditLimit"]),
        available=Decimal(found["available"]),
        customer=found.get("customer"),
        product=found.get("product"),
        state=found.get("state"),
    )


def _xdr(found: Mapping[str, Any]) -> Xdr:
    return Xdr(
        id=found["id"],
        kind=found["kind"],
        call_id=found["callId"],
        leg=found["leg"],
        number=found["number"],
        connect_time=_instant(found["connectTime"]),
        bill_time=datetime.fromisoformat(found["billTime"]),
        used_seconds=found["usedSeconds"],
        charged_seconds=found["chargedSeconds"],
        amount=Decimal(found["amount"]),
        currency=found["currency"],
        cause=found["cause"],
    )
