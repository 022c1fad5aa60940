"""What a request gets that comes from outside every dialog of ours (RFC 3261, 8.2 and 11). A table of reasons, no state."""

from typing import Final, NamedTuple

from webcb.sip.grammar import ProtocolError
from webcb.sip.message import Fields, Request
from webcb.sip.stack import ALLOW, SDP, SUPPORTED
from webcb.sip.uri import parse_uri

ALLOWED: Final = frozenset(ALLOW.split(", "))
# Methods that exist; any other is 501, and these, where we do not allow them, 405 (RFC 3261, 8.2.1).
KNOWN: Final = ALLOWED | {"REGISTER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "MESSAGE"}
EXTENSIONS: Final = frozenset(SUPPORTED.split(", "))


class Verdict(NamedTuple):
    """A status and the headers it needs."""

    status: int
    fields: Fields | None = None


SILENCE: Final = Verdict(0)  # no answer at all


def judge(request: Request, in_dialog: bool) -> Verdict | None:
    """What speaks against a request before its method is looked into; None: nothing (RFC 3261, 8.2.1 to 8.2.3)."""
    if request.method not in KNOWN:
        return Verdict(501, {"Allow": [ALLOW]})
    if request.method not in ALLOWED and not (in_dialog and request.method == "REFER"):
        return Verdict(405, {"Allow": [ALLOW]})
    try:
        uri = parse_uri(request.uri)
        if uri.headers:
            return Verdict(400)  # a Request-URI has none (RFC 3261, 19.1.1)
        required = request.values("Require")
    except ProtocolError as wrong:
        return Verdict(wrong.status)
    unsupported = [tag for tag in required if tag.lower() not in EXTENSIONS]
    if unsupported and request.method != "CANCEL":
        return Verdict(420, {"Unsupported": [", ".join(unsupported)]})
    return None


def judge_stranger(request: Request, strangers: str) -> Verdict:
    """The answer to a request without dialog that `judge` had nothing against. `strangers` as in `Identity`."""
    if request.to_tag or request.method not in ("OPTIONS", "INVITE"):
        return Verdict(481)
    if request.method == "OPTIONS":
        return Verdict(200, {"Allow": [ALLOW], "Accept": [SDP], "Supported": [SUPPORTED]})
    if strangers == "silent":
        return SILENCE
    if request.body and request.first("Content-Type").partition(";")[0].strip().lower() != SDP:
        return Verdict(415, {"Accept": [SDP]})
    if "Accept" in request.fields and not _accepts_sdp(request):
        return Verdict(406)
    return Verdict(403)


def _accepts_sdp(request: Request) -> bool:
    ranges = {line.partition(";")[0].strip().lower() for value in request.fields["Accept"] for line in value.split(",")}
    return bool(ranges & {SDP, "application/*", "*/*"})
