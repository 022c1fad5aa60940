"""The demo carrier as a process: one SIP socket, the switch behind it, the phones' voices. `python -m webcb.demo.carrier`.

Tells on standard output, a line each, what happens at its phones. Ends at SIGINT or SIGTERM.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import product

from webcb import clock
from webcb.demo.melody import ENCODERS, frames
from webcb.demo.phone import Line
from webcb.demo.phones import PHONES, Phone
from webcb.demo.proxy import Softphone
from webcb.demo.softphone import SoftphoneProblem, read_softphone
from webcb.demo.switch import Switch, Told
from webcb.demo.voice import Choir, VoiceLine
from webcb.number import display_number
from webcb.settings import Bind
from webcb.sip.digest import Credentials
from webcb.sip.events import Address

DATAGRAM_BYTES_MAX = 65_535
DATAGRAMS_READ_MAX = 64  # before the timers get their turn
RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
CREDENTIALS = Credentials("webcb", "demo carrier password")


class Carrier:
    """The switch between a UDP socket and the clock; `tell` gets what happens at the phones.

    `open_line` gives a phone that answers its voice; None: what the phone says by itself.
    """

    def __init__(
        self,
        bind: Bind,
        phones: Iterable[Phone],
        softphones: Iterable[Softphone] = (),
        open_line: Callable[[Phone], Line] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._socket.bind((bind.host, bind.port))
        choir = Choir(self._loop)
        known = {phone.number: phone for phone in phones}
        # A tune takes half a second to make: made at its first answer, it would hold up that 200 and all else.
        for voice, codec in product({phone.voice for phone in known.values()}, ENCODERS):
            frames(voice, codec)

        def open_own_line(phone: Phone) -> VoiceLine:
            return VoiceLine(choir, phone.voice, bind.host)

        self.switch = Switch(
            Address(bind.host, self._socket.getsockname()[1]),
            known,
            {softphone.number: softphone for softphone in softphones},
            CREDENTIALS,
            open_line or open_own_line,
            os.urandom,
        )
        self._alarm: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._socket, self._read)

    @property
    def port(self) -> int:
        """The port SIP is spoken on."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Give the socket back; calls that are up are dropped with the process."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        if self._alarm:
            self._alarm.cancel()

    def tell(self, told: Told) -> None:
        """One happening, for who watches."""
        print(f"  {display_number(told.number)} {told.what}", flush=True)

    def _read(self) -> None:
        for _ in range(DATAGRAMS_READ_MAX):
            try:
                data, source = self._socket.recvfrom(DATAGRAM_BYTES_MAX)
            except OSError:
                break  # nothing more, or the report of a port that is closed
            self.switch.receive(data, Address(source[0], source[1]), clock.monotonic())
        self._pump()

    def _wake(self) -> None:
        self.switch.handle_deadline(clock.monotonic())
        self._pump()

    def _pump(self) -> None:
        for data, address in self.switch.to_send():
            try:
                self._socket.sendto(data, (address.host, address.port))
            except OSError:
                continue  # UDP loses; the timers send again
        for told in self.switch.told():
            self.tell(told)
        if self._alarm:
            self._alarm.cancel()
        due = self.switch.next_deadline()
        self._alarm = None if due is None else self._loop.call_at(due, self._wake)


async def serve(
    bind: Bind,
    phones: Iterable[Phone],
    softphones: Iterable[Softphone],
    open_line: Callable[[Phone], Line] | None = None,
) -> None:
    """Be the carrier until SIGINT or SIGTERM. Raises OSError where the address cannot be had."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    carrier = Carrier(bind, phones, softphones, open_line)
    try:
        await ended.wait()
    finally:
        carrier.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the carrier; 0 at a proper end, 2 where it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m webcb.demo.carrier", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="IP address of SIP and RTP")
    parser.add_argument("--port", type=int, default=5080, help="UDP port of SIP")
    parser.add_argument(
        "--phone", action="append", default=[], metavar="NUMBER=SIP-URI", help="pass a number on to a softphone"
    )
    asked = parser.parse_args(arguments)
    try:
        softphones = [read_softphone(text) for text in asked.phone]
        asyncio.run(serve(Bind(asked.host, asked.port), PHONES, softphones))
    except (SoftphoneProblem, OSError) as wrong:
        print(f"carrier: {asked.host}:{asked.port}: {wrong}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
