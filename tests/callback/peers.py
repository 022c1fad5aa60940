"""Peers that nobody of us wrote, beyond sipp: kamailio as a carrier's proxy, baresip as a telephone with a voice."""

import math
import shutil
import signal
import struct
import subprocess
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.callback.configuration import SWITCH_PASSWORD, A, B, media_port, sip_port
from tests.callback.installation import START_SECONDS_MAX, Installation
from tests.callback.phones import Phone
from tests.callback.wire import Message, Rtp
from webcb import db
from webcb.models import Connection

KAMAILIO, BARESIP = "kamailio", "baresip"
KAMAILIO_SCRIPT = Path(__file__).parent / "kamailio.cfg"
STOP_SECONDS_MAX = 5
SAMPLE_RATE = 8000
TONE_HZ = 1000  # no ringback anywhere (ITU-T E.180)
TONE_SECONDS = 60  # at its end it hangs up
TONE_PEAK = 12_000
ULAW_BIAS = 0x84  # ITU-T G.711


def _program(name: str) -> str:
    """Where it is: daemons live in /usr/sbin, which is not in everybody's path."""
    return shutil.which(name) or f"/usr/sbin/{name}"


# The proxy ---------------------------------------------------------------------------------------------------------------


def proxy_port(webcb: Installation) -> int:
    """Where the proxy of `behind_a_proxy` listens."""
    return webcb.ports[60]


@contextmanager
def behind_a_proxy(webcb: Installation, *definitions: str) -> Iterator[None]:
    """Put a kamailio between the engine and the carriers A and B: it challenges, records itself into the route, passes on.

    `definitions` are further ones of its script's.
    """
    port, engine_port = proxy_port(webcb), webcb.ports[0]
    command = [
        *(_program(KAMAILIO), "-f", str(KAMAILIO_SCRIPT), "-DD", "-E", "-m", "16", "-M", "4"),
        *("-l", f"udp:127.0.0.1:{port}", "-A", f"ENGINE_PORT={engine_port}", "-A", f'PASSWORD="{SWITCH_PASSWORD}"'),
        *(word for definition in definitions for word in ("-A", definition)),
        *(f'-APHONE_{carrier}="sip:127.0.0.1:{sip_port(webcb.ports, carrier)}"' for carrier in "AB"),
    ]
    folder = webcb.folder / KAMAILIO
    folder.mkdir()
    with (folder / "screen.log").open("wb") as screen:
        process = subprocess.Popen(command, cwd=folder, stdout=screen, stderr=subprocess.STDOUT)
    proxy = Phone(KAMAILIO, port, port, folder, process)
    try:
        webcb.wire.wait(proxy.is_listening, START_SECONDS_MAX, "kamailio listens")
        with db.writing():
            Connection.update(port=port).where(Connection.name.in_(("Carrier A", "Carrier B"))).execute()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS_MAX)
        print(proxy.story())


def said_to_proxy(webcb: Installation, number: str) -> list[Message]:
    """What passed between the engine and the proxy in the call to a number, in order."""
    ends = {webcb.ports[0], proxy_port(webcb)}
    messages = [each for each in webcb.wire.messages(proxy_port(webcb)) if {each.source, each.target} == ends]
    call = next(each.header("Call-ID") for each in messages if each.name == "INVITE" and number in each.header("To"))
    return [each for each in messages if each.header("Call-ID") == call]


# The telephone -----------------------------------------------------------------------------------------------------------


@dataclass
class Baresip(Phone):
    """A baresip that answers by itself and plays a tone. It stays when its call has ended: it is ended by the test."""

    def finish(self, seconds_max: float) -> None:
        """That its call is over shows on the wire, which the caller looks at; here: that it went through it alive."""
        assert self.process.poll() is None, self.story()


def baresip(
    webcb: Installation,
    certificate: Path | None = None,
    *,
    wideband: bool = False,
    encrypts: bool = False,
    carrier: str = "B",
) -> None:
    """Put a baresip behind a carrier and route its numbers there; it listens before this returns.

    With a `certificate` (a PEM file with its key) it listens for TLS as well, on the port after the one for UDP. It knows
    one codec, PCMU, or G.722 where it is `wideband`; one that `encrypts` takes no call without SRTP.
    """
    folder = webcb.folder / f"{BARESIP}-{carrier}"
    folder.mkdir()
    # It takes the port after its own for TLS, so two of them are not neighbours.
    port, media = (
        webcb.ports[62] if carrier == "A" else sip_port(webcb.ports, carrier),
        media_port(webcb.ports, carrier),
    )
    with db.writing():
        Connection.update(port=port).where(Connection.name == f"Carrier {carrier}").execute()
    sample_rate = SAMPLE_RATE * (2 if wideband else 1)
    _write_tone(folder / "tone.wav", sample_rate)
    codec, encryption = f"{'G722' if wideband else 'PCMU'}/{sample_rate}", ";mediaenc=srtp-mand" if encrypts else ""
    number = A if carrier == "A" else B
    (folder / "accounts").write_text(
        f"<sip:{number.digits}@127.0.0.1>;regint=0;answermode=auto;audio_codecs={codec}{encryption}\n"
    )
    (folder / "config").write_text(
        f"sip_listen 127.0.0.1:{port}\n"
        f"rtp_ports {media}-{media + 2}\n"
        f"module_path {_modules()}\n"
        "module g711.so\nmodule g722.so\nmodule srtp.so\nmodule aufile.so\nmodule_app account.so\nmodule_app menu.so\n"
        f"audio_source aufile,{folder / 'tone.wav'}\n" + (f"sip_certificate {certificate}\n" if certificate else "")
    )
    command = [BARESIP, "-4", "-f", str(folder), "-s"]
    with (folder / "screen.log").open("wb") as screen:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=screen, stderr=subprocess.STDOUT
        )
    phone = Baresip(BARESIP, port, media, folder, process)
    webcb.phones[carrier] = phone
    webcb.wire.wait(phone.is_listening, START_SECONDS_MAX, "baresip listens")
    webcb.route(carrier)


def _modules() -> Path:
    return next(Path("/usr/lib").glob("**/baresip/modules"))


def _write_tone(path: Path, sample_rate: int) -> None:
    samples = [round(TONE_PEAK * math.sin(2 * math.pi * TONE_HZ * at / sample_rate)) for at in range(sample_rate)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples) * TONE_SECONDS)


# What is heard -----------------------------------------------------------------------------------------------------------


def decoded(packets: list[Rtp]) -> list[int]:
    """The samples of PCMU packets, linear (ITU-T G.711)."""
    return [_linear(code) for packet in packets for code in packet.payload]


def _linear(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + ULAW_BIAS << ((code & 0x70) >> 4)) - ULAW_BIAS
    return -magnitude if code & 0x80 else magnitude


def share_of_tone(samples: list[int], hertz: int) -> float:
    """How much of the energy lies at one frequency, 0 to 1: one bin of a discrete Fourier transform."""
    energy = sum(sample * sample for sample in samples)
    turns = [2 * math.pi * hertz * at / SAMPLE_RATE for at in range(len(samples))]
    real = sum(sample * math.cos(turn) for sample, turn in zip(samples, turns, strict=True))
    imaginary = sum(sample * math.sin(turn) for sample, turn in zip(samples, turns, strict=True))
    return 2 * (real * real + imaginary * imaginary) / (len(samples) * energy) if energy else 0.0
