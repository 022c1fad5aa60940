"""A process with a bridge that is there to be killed: `python -m tests.rtpbridge.victim HOST PINS PHONE_A PHONE_B`.

Says the two RTP ports it has joined. Then, for each line it reads: the deadline to set, in nanoseconds of CLOCK_MONOTONIC.
"""

import sys

from rtpbridge import Bridge
from tests.rtpbridge.phone import PCMU

OWNER = "node.1-23000"
PORT_MIN, PORT_MAX = 21_000, 21_039


def main() -> None:
    host, pins, phone_a, phone_b = sys.argv[1:]
    bridge = Bridge(host, PORT_MIN, PORT_MAX, kernel=True, owner=OWNER, pins=pins)
    assert bridge.kernel_state() == (True, ""), bridge.kernel_state()
    a, b = bridge.open_port(), bridge.open_port()
    a.connect(host, int(phone_a), PCMU)
    b.connect(host, int(phone_b), PCMU)
    bridge.join(a, b)
    print(a.rtp_port, b.rtp_port, flush=True)
    for line in sys.stdin:
        bridge.set_deadline(a, b, int(line))
        print("set", flush=True)


if __name__ == "__main__":
    main()
