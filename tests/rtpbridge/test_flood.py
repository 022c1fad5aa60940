"""A busy port under 100,000 datagrams of a stranger a second: the call goes on, and the stranger hears nothing."""

import subprocess
import time
from pathlib import Path

import pytest

from rtpbridge import Bridge, Way
from tests.rtpbridge.conftest import PORT_MAX, PORT_MIN
from tests.rtpbridge.phone import Phone, voice

STRANGER = Path(__file__).resolve().parents[2] / "bench" / "media_junk.c"
PER_SECOND = 100_000
SECONDS = 1
VOICE_PER_SECOND = 1_000  # twenty calls' worth, so that a loss of one in a thousand shows


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("stranger") / "media_junk"
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", str(STRANGER), "-o", str(program)], check=True)
    return program


@pytest.mark.parametrize("way", [Way.BEST, Way.EPOLL])
def test_the_call_goes_on_and_the_stranger_hears_nothing(stranger: Path, way: Way) -> None:
    a, b = Phone("127.0.0.1"), Phone("127.0.0.1")
    with Bridge("127.0.0.1", PORT_MIN, PORT_MAX, way=way) as bridge:
        port_a, port_b = a.connected(bridge), b.connected(bridge)
        bridge.join(port_a, port_b)
        command = [str(stranger), "127.0.0.1", str(port_a.rtp_port), str(SECONDS), str(PER_SECOND)]
        said = 0
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flooding:
            began = time.monotonic()
            while flooding.poll() is None:
                a.say(port_a, voice(said))
                said += 1
                time.sleep(max(0.0, began + said / VOICE_PER_SECOND - time.monotonic()))
            assert flooding.stdout is not None
            sent, answered = map(int, flooding.stdout.read().split())
        assert answered == 0
        assert sent > PER_SECOND * SECONDS * 0.9
        heard = b.hear(said - said // 1000)
        assert {packet.payload for packet in heard} <= {voice(number).payload for number in range(said)}
        counters = port_a.counters()
        assert counters.dropped_strangers + counters.dropped_by_system == sent
    a.close()
    b.close()
