"""How fast SIP is read, printed, answered and called with, beside Sippy's Python stack in the same process.

Both stacks do the same work in turns, in rounds, and medians of CPU time are compared, so that other work on the machine
falls on both alike. No socket and no media: what a stack costs, not what a kernel costs.
"""

import gc
import statistics
import time
from collections.abc import Callable
from typing import Final

from bench import sip_own, sip_sippy
from bench.table import Beside
from webcb.sip.message import read_message

ROUNDS: Final = 41  # short ones, so that what else the machine does falls on both
MESSAGES: Final = 200  # parsed or printed in a round
TRANSACTIONS: Final = 100
CALLS: Final = 20
FASTER_MIN: Final = 2.0  # what we promise beside Sippy

OFFER: Final = b"""v=0\r
o=- 3961234567 3961234567 IN IP4 192.0.2.1\r
s=-\r
c=IN IP4 192.0.2.1\r
t=0 0\r
m=audio 20000 RTP/AVP 0 8 101\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-16\r
a=ptime:20\r
a=sendrecv\r
"""

INVITE: Final = (
    b"""INVITE sip:12065550142@198.51.100.7:5060 SIP/2.0\r
Via: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK77ef4c2312983.1;received=203.0.113.9\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnashds8f0a1c;rport=5060\r
Record-Route: <sip:203.0.113.9;lr=on;ftag=9fxced76sl>\r
Max-Forwards: 69\r
From: "Alice & Co" <sip:5511999887766@192.0.2.1>;tag=9fxced76sl\r
To: <sip:12065550142@198.51.100.7:5060>\r
Call-ID: 3848276298220188511@192.0.2.1\r
CSeq: 1 INVITE\r
Contact: <sip:5511999887766@192.0.2.1:5060>\r
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK\r
Supported: 100rel\r
P-Asserted-Identity: <sip:5511999887766@192.0.2.1>\r
User-Agent: a carrier\r
Content-Type: application/sdp\r
Content-Length: %d\r
\r
"""
    % len(OFFER)
    + OFFER
)

OK: Final = (
    b"""SIP/2.0 200 OK\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnashds8f0a1c;rport=5060;received=192.0.2.1\r
Record-Route: <sip:203.0.113.9;lr=on;ftag=9fxced76sl>\r
From: "Alice & Co" <sip:5511999887766@192.0.2.1>;tag=9fxced76sl\r
To: <sip:12065550142@198.51.100.7:5060>;tag=8321234356\r
Call-ID: 3848276298220188511@192.0.2.1\r
CSeq: 1 INVITE\r
Contact: <sip:12065550142@198.51.100.7:5060>\r
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK\r
Supported: 100rel\r
Server: a carrier\r
Content-Type: application/sdp\r
Content-Length: %d\r
\r
"""
    % len(OFFER)
    + OFFER
)

OPTIONS: Final = b"""OPTIONS sip:198.51.100.7:5060 SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKprobeNUMBER;rport\r
Max-Forwards: 70\r
From: <sip:probe@192.0.2.1>;tag=probeNUMBER\r
To: <sip:198.51.100.7:5060>\r
Call-ID: probeNUMBER@192.0.2.1\r
CSeq: 1 OPTIONS\r
Contact: <sip:probe@192.0.2.1:5060>\r
Accept: application/sdp\r
User-Agent: webcb\r
Content-Length: 0\r
\r
"""

Work = Callable[[], None]


def _repeated(act: Callable[[], object]) -> Work:
    def work() -> None:
        for _ in range(MESSAGES):
            act()

    return work


def _in_pair(act: Callable[[sip_sippy.Pair], None]) -> Work:
    def work() -> None:
        pair = sip_sippy.Pair(OFFER)
        act(pair)
        pair.close()

    return work


def _cpu_seconds(work: Work) -> float:
    gc.collect()
    before = time.process_time()
    work()
    return time.process_time() - before


def _measure(own: Work, sippy: Work) -> tuple[float, float]:
    """Median CPU seconds of both, in turns."""
    own()
    sippy()  # the first time is for caches
    seconds = [(_cpu_seconds(own), _cpu_seconds(sippy)) for _ in range(ROUNDS)]
    return statistics.median(one for one, _ in seconds), statistics.median(other for _, other in seconds)


def run() -> dict[str, float]:
    """Runs the comparison in about half a minute, prints its table and returns it; figures are medians of ROUNDS rounds."""
    messages = {"invite": INVITE, "200": OK}
    works: list[tuple[str, int, Work, Work]] = []
    for name, data in messages.items():
        ours, theirs = read_message(data), sip_sippy.parse(data)
        works += [
            (f"parse_{name}", MESSAGES, _repeated(lambda data=data: read_message(data)),
             _repeated(lambda data=data: sip_sippy.parse(data))),
            (f"print_{name}", MESSAGES, _repeated(ours.encode),
             _repeated(lambda theirs=theirs: sip_sippy.print_message(theirs))),
        ]  # fmt: skip
    works += [
        ("transactions", TRANSACTIONS, lambda: sip_own.transactions(OPTIONS, TRANSACTIONS),
         _in_pair(lambda pair: pair.transactions(OPTIONS, TRANSACTIONS))),
        ("two_leg_calls", CALLS, lambda: sip_own.two_leg_calls(OFFER, CALLS),
         _in_pair(lambda pair: pair.two_leg_calls(OFFER, CALLS))),
    ]  # fmt: skip
    figures: dict[str, float] = {}
    print(f"{'':16}{'webcb':>12}{'sippy':>12}{'':>10}{'times faster':>16}")
    for name, count, own, sippy in works:
        seconds = _measure(own, sippy)
        is_rate = name in ("transactions", "two_leg_calls")
        unit = "per_second" if is_rate else "us"
        values = [count / each if is_rate else each / count * 1e6 for each in seconds]
        faster = seconds[1] / seconds[0]
        print(
            f"{name:16}{values[0]:12,.1f}{values[1]:12,.1f} {unit:10}{faster:15.2f}{'' if faster >= FASTER_MIN else ' !'}"
        )
        figures |= {f"{name}_{unit}": round(values[0], 1), f"sippy_{name}_{unit}": round(values[1], 1)}
        figures[f"{name}_times_faster"] = round(faster, 2)
    return figures


def beside(figures: dict[str, float]) -> list[Beside]:
    """Each beside Sippy's; what we promise is FASTER_MIN times its speed."""
    rows = []
    for name, here in figures.items():
        if f"sippy_{name}" in figures:
            is_rate = name.endswith("_per_second")
            what = name.removesuffix("_per_second").removesuffix("_us").replace("_", " ")
            aim = FASTER_MIN if is_rate else 1 / FASTER_MIN
            unit, better = ("a second", "more") if is_rate else ("µs", "less")
            rows.append(Beside(what, here, unit, "Sippy", figures[f"sippy_{name}"], better, aim))  # type: ignore[arg-type]
    return rows


if __name__ == "__main__":
    run()
