"""Real peers: the call goes through kamailio as a carrier's proxy; baresip answers and its voice is heard."""

import time
from math import sqrt

from tests.callback.configuration import A, B, charge_a, charge_b, media_port
from tests.callback.installation import Installation
from tests.callback.outcome import HUNG_UP, NORMAL, Billed, assert_ended, said
from tests.callback.peers import TONE_HZ, TONE_PEAK, baresip, behind_a_proxy, decoded, said_to_proxy, share_of_tone
from tests.callback.voice import PCMU, SAMPLES

LATCH_MS = 3000  # the address of the SDP must be silent so long before another is believed
SECOND = 50  # packets
KILLS = 2
BOTH_TALKED = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}


def test_a_carrier_s_kamailio_asks_who_calls_and_stays_in_the_route(webcb: Installation) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "hangs_up", ring_ms=0, talk_ms=500)
    with behind_a_proxy(webcb):
        callback = webcb.place()
        assert_ended(webcb, callback, "B hung up", BOTH_TALKED)
    assert said(webcb, "A") == said(webcb, "B") == HUNG_UP
    # Nothing went past the proxy, neither in setting up nor inside the dialogs.
    assert not [each for each in webcb.wire.messages(webcb.ports[0]) if each.target in direct(webcb)]
    to_a, to_b = said_to_proxy(webcb, A.digits), said_to_proxy(webcb, B.digits)
    for said_there in (to_a, to_b):
        invites = [each for each in said_there if each.name == "INVITE"]
        assert "Proxy-Authorization:" not in invites[0].text
        assert 'realm="carrier.example"' in invites[-1].header("Proxy-Authorization")
        ack = [each for each in said_there if each.name == "ACK"][-1]
        assert ack.header("Route").startswith("<sip:127.0.0.1:")
    # A is hung up on by us: a BYE through the proxy that it accepted from us.
    bye = [each for each in to_a if each.name == "BYE"][-1]
    assert bye.source == webcb.ports[0]
    assert 'realm="carrier.example"' in bye.header("Proxy-Authorization")
    # B hangs up through the proxy.
    assert [each.source for each in to_b if each.name == "BYE"] == [webcb.ports[60]]


def direct(webcb: Installation) -> set[int]:
    """The SIP ports of the phones, which only their proxy speaks to."""
    return {phone.sip_port for phone in webcb.phones.values()}


def test_a_hears_the_voice_of_a_baresip_that_answers(webcb: Installation) -> None:
    """It names in SDP an address of this machine that it does not speak from, as behind NAT: it is believed all the same."""
    webcb.phone("A", "hangs_up", ring_ms=0, talk_ms=LATCH_MS + 1500)
    baresip(webcb)
    callback = webcb.place()
    assert_ended(webcb, callback, "A hung up", BOTH_TALKED)
    assert said(webcb, "B") == HUNG_UP
    heard = webcb.wire.rtp_to(media_port(webcb.ports, "A"))[-SECOND:]
    spoken = {packet.payload for packet in webcb.wire.rtp_from(media_port(webcb.ports, "B"))}
    assert len(heard) == SECOND
    assert {packet.payload_type for packet in heard} == {PCMU}
    assert {packet.payload for packet in heard} <= spoken
    samples = decoded(heard)
    assert len(samples) == SECOND * SAMPLES
    assert share_of_tone(samples, TONE_HZ) > 0.95
    assert sqrt(sum(sample * sample for sample in samples) / len(samples)) > 0.9 * TONE_PEAK / sqrt(2)


def test_baresips_that_talk_go_on_through_kills(webcb: Installation) -> None:
    """Phones that nobody of us wrote: they are asked inside the dialog by an engine that they have not called, and hung up by it."""
    for carrier in "AB":
        baresip(webcb, carrier=carrier)
    callback = webcb.place()
    webcb.wait_for_state(callback, "talking", 15)
    webcb.wire.wait(
        lambda: all("ACK" in said(webcb, carrier) for carrier in "AB"), 5, "both are told that they are heard"
    )
    for kill in range(KILLS):
        webcb.kill_engine()
        killed_at = time.time()
        webcb.start_engine()
        webcb.wire.wait(lambda: _both_hear(webcb, killed_at), 10, f"both hear each other after kill {kill}")  # noqa: B023
    webcb.release(callback)
    assert_ended(webcb, callback, "user released", BOTH_TALKED)
    assert said(webcb, "A") == said(webcb, "B") == [*HUNG_UP[:3], *["OPTIONS", "200 OPTIONS"] * KILLS, *HUNG_UP[3:]]
    for carrier in "AB":
        numbers = [
            int(each.header("CSeq").split()[0]) for each in webcb.messages(carrier) if each.source == webcb.ports[0]
        ]
        assert numbers == sorted(numbers)
        samples = decoded(webcb.wire.rtp_to(media_port(webcb.ports, carrier))[-SECOND:])
        assert share_of_tone(samples, TONE_HZ) > 0.95


def _both_hear(webcb: Installation, since: float) -> bool:
    """Whether voice of the other has come to either for half a second."""
    return all(
        len([each for each in webcb.wire.rtp_to(media_port(webcb.ports, carrier)) if each.at > since + 0.1])
        > SECOND / 2
        for carrier in "AB"
    )
