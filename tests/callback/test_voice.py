"""Two people talk, by pcap: every payload one says reaches the other unchanged and in order, and nothing else does."""

from tests.callback.configuration import charge_a, charge_b, media_port
from tests.callback.installation import Installation
from tests.callback.outcome import NORMAL, Billed, assert_ended
from tests.callback.voice import PACKET_MS, PCMA, PCMU, SAMPLES, payloads, pressed
from tests.callback.wire import Rtp
from tests.waiting import wait_until
from webcb.models import Callback, Connection, Leg, Xdr
from webcb.opinion import read_scores

PACKETS = 150
SPOKEN_MS = PACKETS * PACKET_MS


def is_one_stream(heard: list[Rtp]) -> bool:
    """One source, counting its packets without a gap (RFC 3550, 5.1)."""
    first = heard[0]
    numbers = [(packet.sequence - first.sequence) % 65_536 for packet in heard]
    return numbers == list(range(len(heard))) and {packet.ssrc for packet in heard} == {first.ssrc}


def is_loud(packet: Rtp) -> bool:
    """Whether it holds anything but the two zeros of PCMU."""
    return bool(set(packet.payload) - {0xFF, 0x7F})


def test_what_each_says_reaches_the_other(webcb: Installation) -> None:
    # A waits until B is on the line, as people do; B hangs up when both have long finished.
    by_a, by_b = payloads("A", PACKETS), payloads("B", PACKETS)
    webcb.phone("A", "speaks", by_a, quiet_ms=1500)
    webcb.phone("B", "speaks_and_hangs_up", by_b, quiet_ms=500, talk_ms=1500 + SPOKEN_MS)
    callback = webcb.place()
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, "B hung up", billed)

    port_a, port_b = media_port(webcb.ports, "A"), media_port(webcb.ports, "B")
    assert [packet.payload for packet in webcb.wire.rtp_from(port_a)] == by_a  # sipp did say it
    assert [packet.payload for packet in webcb.wire.rtp_from(port_b)] == by_b
    heard_by_a, heard_by_b = webcb.wire.rtp_to(port_a), webcb.wire.rtp_to(port_b)
    assert [packet.payload for packet in heard_by_b] == by_a
    ringback = heard_by_a[:-PACKETS]
    assert [packet.payload for packet in heard_by_a[-PACKETS:]] == by_b
    assert all(packet.at < heard_by_a[-PACKETS].at for packet in ringback)
    assert {packet.payload_type for packet in heard_by_a + heard_by_b} == {PCMU}
    assert is_one_stream(heard_by_a)
    assert is_one_stream(heard_by_b)


MISSED_MAX = 5  # packets of 20 ms; one, but where the engine is kept waiting


def test_a_hears_ringback_while_b_rings(webcb: Installation) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "hangs_up", ring_ms=2000, talk_ms=300)
    callback = webcb.place()
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, "B hung up", billed)
    ringing_at, answered_at = (
        next(each.at for each in webcb.messages("B") if each.name == name) for name in ("180", "200")
    )
    heard = webcb.wire.rtp_to(media_port(webcb.ports, "A"))
    during = [packet for packet in heard if ringing_at + 0.1 < packet.at < answered_at]
    assert 85 <= len(during) <= 96  # one every 20 ms in 1.9 s
    # Brazil's: 1 s of tone, 4 s of pause (ITU-T E.180); it begins as B is called, before its phone rings.
    loud = [is_loud(packet) for packet in heard if packet.at < answered_at]
    assert heard[0].at < ringing_at + 0.1
    assert loud.index(False) in (50, 51)
    assert not any(loud[loud.index(False) :])
    acknowledged_at = next(each.at for each in webcb.messages("B") if each.name == "ACK")
    assert not [packet for packet in heard if packet.at > acknowledged_at + 0.1]  # nothing where B says nothing
    assert not webcb.wire.rtp_to(media_port(webcb.ports, "B"))


def test_a_hears_what_b_s_network_announces_before_the_answer(webcb: Installation) -> None:
    """Early media instead of our ringback (RFC 3960), but for the packets that tell us that it flows; B is charged from its 200 on."""
    announced = payloads("B", PACKETS)
    webcb.phone("A", "answers")
    webcb.phone("B", "announces", announced, ring_ms=SPOKEN_MS + 500, talk_ms=300)
    callback = webcb.place()
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, "B hung up", billed)
    heard = webcb.wire.rtp_to(media_port(webcb.ports, "A"))
    said = [packet.payload for packet in heard]
    assert any(said[missed - PACKETS :] == announced[missed:] for missed in range(MISSED_MAX + 1))
    assert len(heard) < PACKETS + 50  # the ringback of the moment until the announcement began


def test_a_takes_the_law_of_b_when_it_is_asked_and_nothing_is_recoded(webcb: Installation) -> None:
    """B has only PCMA; until A has agreed to that the bridge recodes, and in between not a packet is lost."""
    by_a, by_b = payloads("A", 50), payloads("B", 100)
    webcb.phone("A", "speaks_either_law", by_a, payload_type=PCMA, quiet_ms=300)
    webcb.phone("B", "speaks_pcma_and_hangs_up", by_b, payload_type=PCMA, quiet_ms=0, talk_ms=2800)
    callback = webcb.place()
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, "B hung up", billed)
    heard_by_a, heard_by_b = (webcb.wire.rtp_to(media_port(webcb.ports, each)) for each in ("A", "B"))
    assert [(packet.payload_type, packet.payload) for packet in heard_by_b] == [(PCMA, each) for each in by_a]
    assert is_one_stream(heard_by_a)
    assert is_one_stream(heard_by_b)
    heard_by_a = heard_by_a[-len(by_b) :]  # before that, ringback
    recoded = [packet.payload_type for packet in heard_by_a].index(PCMA)
    assert 0 < recoded < 90  # A decided after 300 ms
    assert {packet.payload_type for packet in heard_by_a[:recoded]} == {PCMU}
    exact = [(packet.payload_type, packet.payload) for packet in heard_by_a[recoded:]]
    assert exact == [(PCMA, each) for each in by_b[recoded:]]
    offers = dict.fromkeys(each.text for each in webcb.messages("A") if each.name == "INVITE")
    assert ["o=- " in each and each.split("o=- ")[1].split()[1] for each in offers] == ["1", "2"]
    assert {leg.name: leg.codec for leg in Leg.select()} == {"A": "PCMA", "B": "PCMA"}


def test_a_that_would_speak_opus_is_asked_for_pcmu_where_b_has_no_more(webcb: Installation) -> None:
    """Opus is not recoded: A, which has answered with both, is asked for what B has, and from then on every word passes as it is."""
    Connection.update(codecs="opus,PCMU,PCMA").execute()
    by_a, by_b = payloads("A", 50), payloads("B", 50)
    webcb.phone("A", "speaks_opus_or_ulaw", by_a, quiet_ms=300)
    webcb.phone("B", "speaks_and_hangs_up", by_b, quiet_ms=100, talk_ms=2200)
    callback = webcb.place()
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, "B hung up", billed)
    to_a, to_b = (
        list(dict.fromkeys(each.text for each in webcb.messages(carrier) if each.name == "INVITE")) for carrier in "AB"
    )
    lines = [next(line.split()[3:] for line in each.splitlines() if line.startswith("m=")) for each in to_a + to_b]
    assert lines == [["111", "0", "8", "101", "110"], ["0", "101"], ["111", "0", "8", "101", "110"]]
    answered = [each for each in webcb.messages("A") if (each.name, each.method) == ("200", "INVITE")]
    assert ["RTP/AVP 111 0 101" in each.text for each in answered] == [True, False]
    heard_by_a, heard_by_b = (webcb.wire.rtp_to(media_port(webcb.ports, each)) for each in ("A", "B"))
    assert [(packet.payload_type, packet.payload) for packet in heard_by_b] == [(PCMU, each) for each in by_a]
    assert [(packet.payload_type, packet.payload) for packet in heard_by_a[-50:]] == [(PCMU, each) for each in by_b]
    assert is_one_stream(heard_by_a)
    assert is_one_stream(heard_by_b)
    assert {leg.name: leg.codec for leg in Leg.select()} == {"A": "PCMU", "B": "PCMU"}


def test_a_that_refuses_the_law_of_b_is_recoded_for(webcb: Installation) -> None:
    by_a, by_b = payloads("A", 50), payloads("B", 50)
    webcb.phone("A", "speaks_one_law", by_a, quiet_ms=300)
    webcb.phone("B", "speaks_pcma_and_hangs_up", by_b, payload_type=PCMA, quiet_ms=300, talk_ms=2000)
    callback = webcb.place()
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, "B hung up", billed)
    heard_by_a, heard_by_b = (webcb.wire.rtp_to(media_port(webcb.ports, each)) for each in ("A", "B"))
    assert [(packet.payload_type, len(packet.payload)) for packet in heard_by_b] == [(PCMA, SAMPLES)] * 50
    assert [(packet.payload_type, len(packet.payload)) for packet in heard_by_a[-50:]] == [(PCMU, SAMPLES)] * 50
    assert is_one_stream(heard_by_a)
    assert is_one_stream(heard_by_b)
    assert [each.name for each in webcb.messages("A") if each.method == "INVITE"].count("488") == 1


def test_a_key_that_a_presses_reaches_b_under_its_own_number(webcb: Installation) -> None:
    keys = pressed(5, packets=10)
    webcb.phone("A", "speaks", keys, payload_type=101, quiet_ms=1500)
    webcb.phone("B", "numbers_keys_96", talk_ms=2500)
    callback = webcb.place()
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, "B hung up", billed)
    heard = webcb.wire.rtp_to(media_port(webcb.ports, "B"))
    assert [(packet.payload_type, packet.payload) for packet in heard] == [(96, each) for each in keys]


def test_one_way_audio_is_on_the_bill_and_the_voice_of_each_leg_on_its_row(webcb: Installation) -> None:
    """A speaks all the time; of B nothing is heard after the first word, for more than a whole window of five seconds."""
    webcb.phone("A", "speaks", payloads("A", 600), quiet_ms=200)
    webcb.phone("B", "speaks_and_hangs_up", payloads("B", 1), quiet_ms=300, talk_ms=11_000)
    callback = webcb.place()
    wait_until(lambda: all(leg.scores for leg in Leg.select()), "scores of both, while they talk")
    assert Callback.get().state == "talking"
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, "B hung up", billed)
    assert {xdr.leg: xdr.one_way for xdr in Xdr.select()} == {"A": False, "B": True}
    a, b = Leg.select().order_by(Leg.name)
    assert (a.codec, a.one_way, b.codec, b.one_way) == ("PCMU", False, "PCMU", True)
    spoken = len(webcb.wire.rtp_from(media_port(webcb.ports, "A")))
    assert spoken - 10 <= a.received_packets <= spoken  # B may have hung up before the last
    assert (a.lost_packets, b.received_packets) == (0, 1)
    assert a.score_milli > 4000
    (of_a,), (of_b,) = read_scores(a.scores), read_scores(b.scores)
    assert of_a.seconds == of_b.seconds == 5
    assert len(of_a.hundredths) >= 2
    assert all(each is not None and each > 400 for each in of_a.hundredths[1:])
    assert of_b.hundredths[-1] is None  # nothing came of it
    assert abs((of_b.begins_at - b.answered_at).total_seconds()) < 1
    assert 0 <= a.jitter_us < 50_000
    assert abs(b.sent_packets - len(webcb.wire.rtp_to(media_port(webcb.ports, "B")))) <= 1
    listed = webcb.run("xdrs", "--csv").stdout.splitlines()
    column = listed[0].split(",").index("one_way")
    assert [line.split(",")[column] for line in listed[1:]].count("yes") == 1
