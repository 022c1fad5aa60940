"""What was said of a callback is kept with it: the trace is what was on the wire, a ladder and packets that others read."""

import shutil
import subprocess
from pathlib import Path

from tests.callback.installation import Installation
from webcb.models import Message


def test_every_message_of_both_legs_is_kept_and_shown(webcb: Installation, tmp_path: Path) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "hangs_up", ring_ms=200, talk_ms=500)
    callback = webcb.place()
    webcb.wait_for_state(callback, "ended", 15)
    webcb.wire.wait(lambda: Message.select().where(Message.callback == callback).count(), 5, "the trace is written")

    kept = list(Message.select().where(Message.callback == callback).order_by(Message.position))
    assert [each.position for each in kept] == list(range(1, len(kept) + 1))
    for leg in ("A", "B"):
        of_leg = [each for each in kept if each.leg == leg]
        on_wire = webcb.messages(leg)
        names = [each.text.split()[1 if each.text.startswith("SIP/2.0") else 0] for each in of_leg]
        assert names == [each.name for each in on_wire]
        assert [each.sent for each in of_leg] == [each.target == webcb.phones[leg].sip_port for each in on_wire]
        assert {each.remote_port for each in of_leg} == {webcb.phones[leg].sip_port}
        for mine, theirs in zip(of_leg, on_wire, strict=True):
            assert abs(mine.at.timestamp() - kept[0].at.timestamp() - theirs.at + webcb.messages("A")[0].at) < 0.15

    shown = webcb.run("trace", callback)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("\n") == len(kept) + 4  # heads, day, and where each leg is
    assert " INVITE sdp " in shown.stdout
    assert " 200 OK (BYE) " in shown.stdout
    assert "Call-ID: " in webcb.run("trace", callback, "--full").stdout

    packets = tmp_path / "call.pcap"
    assert webcb.run("trace", callback, "--pcap", str(packets)).returncode == 0
    tcpdump = shutil.which("tcpdump") or "/usr/sbin/tcpdump"
    read = subprocess.run([tcpdump, "-nn", "-r", str(packets)], capture_output=True, text=True, check=True).stdout
    assert len(read.splitlines()) == len(kept)
    assert f"IP 127.0.0.1.{webcb.ports[0]} > 127.0.0.1.{webcb.phones['A'].sip_port}: " in read.splitlines()[0]


def test_a_callback_without_messages_says_why(webcb: Installation) -> None:
    unknown = webcb.run("trace", "no-such-callback")
    assert (unknown.returncode, unknown.stderr) == (1, "webcb: there is no callback 'no-such-callback'\n")
    webcb.phone("A", "rings")
    webcb.route("B")
    callback = webcb.place()
    webcb.wait_for_message("A", "180")
    early = webcb.run("trace", callback)
    assert early.returncode == 1
    assert "it goes on (calling A); they are written at its end" in early.stderr
