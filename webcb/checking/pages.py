"""The pages of this node, asked over their own address: whether they serve, and whether it is they who do."""

import http.client
import socket
from typing import Final

from webcb.checking.finding import Finding, ok, warning, wrong
from webcb.serve import why_not_bindable
from webcb.settings import Settings

AREA: Final = "pages"
ANSWER_SECONDS_MAX: Final = 3.0
OCTETS_MAX: Final = 2000


def finding(settings: Settings) -> Finding:
    """Whether `http_bind` is free, or served by webcb and well."""
    bind = settings.http_bind
    subject = f"pages at {bind}"
    why = why_not_bindable(bind)
    if why is None:
        return warning(AREA, subject, "nobody serves them; the address is free", "start them: `webcb serve`")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind.host, bind.host)  # noqa: S104 - compared, not bound
    asked = http.client.HTTPConnection(host, bind.port, timeout=ANSWER_SECONDS_MAX)
    try:
        asked.request("GET", "/readyz", headers={"Host": "localhost"})
        answer = asked.getresponse()
        text = answer.read(OCTETS_MAX).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as problem:
        mend = "set http_bind to a free port of an address of this host (`ss -lntp` shows who has it)"
        refused = isinstance(problem, ConnectionRefusedError | socket.gaierror)
        return wrong(AREA, subject, why if refused else f"{why}; who has it does not speak HTTP: {problem}", mend)
    finally:
        asked.close()
    if answer.status == 200:
        return ok(AREA, subject, "served, and ready for callbacks")
    if answer.status == 503:
        return warning(AREA, subject, f"served, not ready: {text.splitlines()[0] if text else '503'}", "see below")
    mend = "set http_bind to another port, or stop what serves there"
    return wrong(AREA, subject, f"another program serves there (its /readyz is {answer.status})", mend)
