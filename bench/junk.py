"""The flooder of the flood benchmark, a process of its own: `python -m bench.junk PORT SECONDS`. Prints how much it sent.

A third is noise, a third is cut-off SIP, a third are requests that are right but wanted by nobody; from a hundred sources.
"""

import random
import socket
import sys
import time

PER_SECOND = 5000
BATCHES_PER_SECOND = 200
SOURCES = 100

OPTIONS = (
    b"OPTIONS sip:%d@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.9.0.1:5060;branch=z9hG4bK%d;rport\r\nMax-Forwards: 70\r\n"
    b"From: <sip:junk@127.9.0.1>;tag=%d\r\nTo: <sip:%d@127.0.0.1>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\n"
    b"User-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n"
)


def junk(chance: random.Random, number: int) -> bytes:
    """The numbered datagram."""
    request = OPTIONS % ((chance.getrandbits(60),) * 5)
    return (chance.randbytes(400), request[: chance.randrange(20, 300)], request)[number % 3]


def flood(port: int, seconds: float) -> int:
    """Send PER_SECOND datagrams a second for so long; how many were sent."""
    chance = random.Random(5060)  # the same junk every time
    datagrams = [junk(chance, number) for number in range(3000)]
    sources = []
    for number in range(SOURCES):
        source = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        source.bind((f"127.9.0.{number + 1}", 0))
        source.connect(("127.0.0.1", port))
        source.setblocking(False)
        sources.append(source)
    began, sent = time.monotonic(), 0
    for batch in range(1, int(seconds * BATCHES_PER_SECOND) + 1):
        for _ in range(PER_SECOND // BATCHES_PER_SECOND):
            sources[sent % SOURCES].send(datagrams[sent % len(datagrams)])
            sent += 1
        time.sleep(max(0.0, began + batch / BATCHES_PER_SECOND - time.monotonic()))
    for source in sources:
        source.close()
    return sent


if __name__ == "__main__":
    print(flood(int(sys.argv[1]), float(sys.argv[2])))
