"""kill -9 of the engine while a real phone is in the menu of a hosted callback: the next one says again what was asked, and A talks."""

import json

from tests.callback.configuration import B, charge_a, charge_b, media_port
from tests.callback.installation import START_SECONDS_MAX, Installation, waits_for_its_turn
from tests.callback.outcome import WIRE_TOLERANCE_SECONDS, assert_no_leg_is_up
from tests.callback.test_hosted import EVENTS, PIN, assert_said, keys, laid_out, offer_hosted, place_hosted
from webcb.billing import books
from webcb.models import Callback, Leg, Xdr
from webcb.prompts.library import Library

DESTINATION_MS, NUMBER_MS, CUT_SHORT_MS = 4000, 5200, 7000  # when A asks for a destination, types it, has heard enough
SAID_BEFORE = [("welcome",), ("balance",)]
SAID_AGAIN = [("menu",), ("destination",), ("you-may-talk",), ("call-ended",)]


def test_a_phone_in_the_menu_hears_it_again_and_talks(webcb: Installation) -> None:
    library = Library(webcb.settings.data_dir)
    assert library.make("en") == ""
    offer_hosted(webcb)
    spare = webcb.another_engine("--stand-by")
    webcb.wire.wait(lambda: waits_for_its_turn(spare.pid), START_SECONDS_MAX, "the spare engine is warm")
    pressed = [
        *keys(0, f"{PIN}#"),
        *keys(DESTINATION_MS, "1"),
        *keys(NUMBER_MS, f"{B.digits}#"),
        *keys(CUT_SHORT_MS, "0"),
    ]
    webcb.phone("A", "speaks", pressed=pressed, payload_type=EVENTS, quiet_ms=500)
    webcb.phone("B", "hangs_up", ring_ms=100, talk_ms=1000)
    callback_id = place_hosted(webcb)
    webcb.wire.wait(lambda: _place(callback_id) == "MENU", 10, "A hears the menu")
    heard_before = len(webcb.wire.rtp_to(media_port(webcb.ports, "A")))
    webcb.wire.wait(
        lambda: len(webcb.wire.rtp_to(media_port(webcb.ports, "A"))) > heard_before + 25, 5, "half a second"
    )
    webcb.kill_engine()
    webcb.engine = spare
    webcb.wire.wait(lambda: Xdr.select().where(Xdr.leg == "B1").exists(), 30, "B is charged")
    assert _place(callback_id) == "DESTINATION"
    said = len(webcb.wire.rtp_to(media_port(webcb.ports, "A"))) + 40
    webcb.wire.wait(lambda: len(webcb.wire.rtp_to(media_port(webcb.ports, "A"))) > said, 5, "most of a second more")
    webcb.release(callback_id)
    row = webcb.wait_for_state(callback_id, "ended", 10)
    assert (row.ending, row.account.login, row.logged_in) == ("user released", PIN, True)
    assert_no_leg_is_up(webcb, row)
    assert "goes on" in webcb.log()

    packets = webcb.wire.rtp_to(media_port(webcb.ports, "A"))
    before, after = (
        [packet for packet in packets if packet.ssrc == ssrc] for ssrc in dict.fromkeys(each.ssrc for each in packets)
    )
    assert_said(library, laid_out(before), SAID_BEFORE)
    assert_said(library, laid_out(after), SAID_AGAIN)

    bills = {xdr.leg: xdr for xdr in Xdr.select()}
    assert bills.keys() == {"A", "B1"}
    assert {xdr.account.login for xdr in bills.values()} == {PIN}
    messages = webcb.messages("A")
    answered = next(each.at for each in messages if (each.name, each.method) == ("200", "INVITE"))
    ended = next(each.at for each in messages if each.name == "BYE")
    assert abs(bills["A"].used_quantity - 0.5 - (ended - answered)) <= 0.5 + WIRE_TOLERANCE_SECONDS
    assert bills["A"].charged_micros == charge_a(bills["A"].used_quantity)
    assert bills["B1"].used_quantity in (1, 2)
    assert bills["B1"].charged_micros == charge_b(bills["B1"].used_quantity)
    assert Leg.select().where(Leg.callback == callback_id).count() == 2
    assert books.differences() == []


def _place(callback_id: str) -> str:
    terms = Callback.get_by_id(callback_id).terms
    return str(json.loads(json.loads(terms)["place"])["place"]) if terms else ""
