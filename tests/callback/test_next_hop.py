"""A carrier that is a name: its servers found by SRV from a real name server, the failing ones passed over, and the talk."""

import socket

from tests.callback.configuration import charge_a, charge_b, sip_port
from tests.callback.installation import DNS, Installation
from tests.callback.outcome import HUNG_UP, NORMAL, Billed, assert_ended, refused, said
from tests.name_server import name_server
from webcb import db
from webcb.models import Attempt, Connection, Leg
from webcb.sip.message import Request, Response, read_message

SILENT = 70  # a port that takes everything and says nothing


def test_the_third_server_of_srv_has_the_call_after_a_silent_and_an_overloaded_one(webcb: Installation) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "is_overloaded")
    webcb.phone("spare", "hangs_up", ring_ms=0, talk_ms=500)
    silent, overloaded, good = webcb.ports[SILENT], sip_port(webcb.ports, "B"), sip_port(webcb.ports, "spare")
    zone = {
        ("_sip._udp.carrier.test", "SRV"): [
            f"10 0 {silent} sbc1.carrier.test.",
            f"20 0 {overloaded} sbc2.carrier.test.",
            f"30 0 {good} sbc1.carrier.test.",
        ],
        ("sbc1.carrier.test", "A"): ["127.0.0.1"],
        ("sbc2.carrier.test", "CNAME"): ["sbc1.carrier.test."],
    }
    with db.writing():
        Connection.update(host="carrier.test", port=None).where(Connection.name == "Carrier B").execute()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute, name_server(zone, webcb.ports[DNS]) as server:
        mute.bind(("127.0.0.1", silent))
        callback = webcb.place()
        both_talked = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
        assert_ended(webcb, callback, "B hung up", both_talked, b_at="spare")
        _refuse_at_last(mute)
        assert ("_sip._udp.carrier.test", "SRV", "udp") in server.asked
    assert said(webcb, "B") == refused(503)
    assert said(webcb, "spare") == HUNG_UP
    # Who asks tomorrow which of the servers it was finds it on the rows.
    attempts = Attempt.select(Attempt).join(Leg).where(Leg.name == "B").order_by(Attempt.position)
    assert [(each.address, each.status, each.connection.name) for each in attempts] == [
        (f"udp 127.0.0.1:{silent}", 408, "Carrier B"),
        (f"udp 127.0.0.1:{overloaded}", 503, "Carrier B"),
        (f"udp 127.0.0.1:{good}", 200, "Carrier B"),
    ]
    (silent_line, overloaded_line, good_line) = webcb.run("attempts", callback).stdout.splitlines()[-3:]
    assert f"127.0.0.1:{silent}" in silent_line and "no progress in time" in silent_line
    assert f"127.0.0.1:{overloaded}" in overloaded_line and "503" in overloaded_line
    assert f"127.0.0.1:{good}" in good_line and "200" in good_line


def _refuse_at_last(mute: socket.socket) -> None:
    """The silent server wakes up: what it says now ends its own transaction, and nothing else."""
    mute.settimeout(5)
    data, engine = mute.recvfrom(65_535)
    invite = read_message(data)
    assert isinstance(invite, Request) and invite.method == "INVITE"
    fields = {name: invite.fields[name] for name in ("Via", "From", "Call-ID", "CSeq")}
    fields["To"] = [f"{invite.first('To')};tag=late"]
    mute.sendto(Response(486, "Busy Here", fields).encode(), engine)
    while not data.startswith(b"ACK "):
        data = mute.recv(65_535)
