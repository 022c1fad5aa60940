"""Prompts are listed, heard, replaced; vouchers are made once and listed; routes are written and listed."""

import csv
import io
import wave

from flask import Flask

from tests.web.admin.conftest import Operator, text_of
from webcb import clock, db
from webcb.billing import voucher
from webcb.models import Account, Audit, Route, Tariff, VoiceApplication, Voucher
from webcb.prompts.library import BUILT_IN, Library, write


def sound(channels: int = 1, hertz: int = 8000, seconds: float = 0.5) -> io.BytesIO:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(hertz)
        file.writeframes(b"\1\2" * int(seconds * hertz) * channels)
    return io.BytesIO(made.getvalue())


def test_a_recording_takes_the_place_of_a_prompt(admin: Operator, reader: Operator, users: Flask) -> None:
    library = Library(users.extensions["webcb_settings"].data_dir)
    spoken = library.folder(BUILT_IN, "pt")
    spoken.mkdir(parents=True)
    write(spoken / "welcome.wav", b"\0\0" * 1600)
    assert "No voice application names a prompts folder" in admin.get("/admin/prompts")
    admin.get("/admin/prompts/brand/pt/welcome", 404)
    VoiceApplication.update(prompts_folder="brand").where(VoiceApplication.name == "Callback").execute()
    page = text_of(admin.get("/admin/prompts?language=pt&folder=brand"))
    assert "welcome" in page
    assert "built-in voice" in page
    assert "nobody yet" in page
    address = "/admin/prompts/brand/pt/welcome"
    for wrong, words in (
        (sound(channels=2), "mono"),
        (sound(hertz=44100), "8000 or 16000"),
        (io.BytesIO(b"MP3"), "Not a .wav file of PCM"),
        (None, "Choose a file"),
    ):
        answer = admin.post(address, 422, **({"file": (wrong, "x.wav")} if wrong else {}))
        assert words in answer.text
    assert library.find("brand", "pt", "welcome").seconds == 0.1  # type: ignore[union-attr]
    admin.post(address, file=(sound(), "x.wav"))
    assert library.find("brand", "pt", "welcome").seconds == 0.5  # type: ignore[union-attr]
    assert [path.name for path in library.folder("brand", "pt").iterdir()] == ["welcome.wav"]
    with admin.client.get("/admin/prompts/pt/welcome.wav?folder=brand") as heard:
        assert heard.mimetype == "audio/wav"
        assert heard.data == sound().read()
    with admin.client.get("/admin/prompts/pt/welcome.wav") as heard:
        assert len(heard.data) == 44 + 3200
    assert "0.5 s, 8000 Hz" in admin.get(address)
    reader.post(address, 403, step="remove")
    admin.post(address, step="remove")
    assert library.find("brand", "pt", "welcome").seconds == 0.1  # type: ignore[union-attr]
    for nothing in ("/admin/prompts/xx/welcome.wav", "/admin/prompts/pt/none.wav", "/admin/prompts/../pt/welcome",
                    "/admin/prompts/brand/pt/none", "/admin/prompts/other/pt/welcome"):  # fmt: skip
        admin.get(nothing, 404)
    actions = {row.action for row in Audit.select().where(Audit.subject == "prompt brand/pt/welcome")}
    assert actions == {"recording uploaded", "recording removed"}


def test_vouchers_leave_once_as_a_file_and_are_redeemed(admin: Operator, support: Operator) -> None:
    made = {"series": "Kiosk", "quantity": "3", "amount": "2.50", "currency": "USD"}
    answer = admin.post("/admin/vouchers/new", 200, **made)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="vouchers-Kiosk.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert [(line["Series"], line["Amount"], len(line["Code"].strip("'"))) for line in lines] == [
        ("Kiosk", "2.50", 16)
    ] * 3
    alice = Account.get(Account.login == "alice")
    done = voucher.redeem(lines[0]["Code"].strip("'"), alice.id, "test", clock.utc_now())
    assert isinstance(done, voucher.Redeemed)
    page = text_of(admin.get("/admin/vouchers?state=used"))
    assert "Kiosk 2.50 USD" in page
    assert "alice" in page
    assert "Kiosk" in admin.get("/admin/vouchers?state=unused&q=kiosk")
    assert "2.50" not in support.get("/admin/vouchers")
    assert lines[1]["Code"] not in admin.get("/admin/vouchers")
    assert "already" in admin.post("/admin/vouchers/new", 422, **made).text
    for wrong in ({"quantity": "0"}, {"quantity": "x"}, {"amount": "-1"}, {"amount": "much"}, {"currency": "usd"}, {"series": ""},
                  {"expires_at": "2001-01-01T00:00"}, {"expires_at": "soon"}):  # fmt: skip
        admin.post("/admin/vouchers/new", 422, **made | {"series": "Other"} | wrong)
    assert Voucher.select().count() == 3


def test_routes_are_written_and_listed(admin: Operator, billing: Operator) -> None:
    assert "category 1 and preference 5" in admin.get("/admin/routing")
    carrier = Tariff.get(Tariff.name == "Carrier")
    assert "Routes" in admin.get(f"/admin/tariffs/{carrier.id}")
    admin.post(f"/admin/tariffs/{carrier.id}/routes/new", prefix="55", category="2", preference="9", huntstop="y")
    route = Route.get()
    assert (route.destination.prefix, route.category, route.preference, route.huntstop) == ("55", 2, 9, True)
    assert "55 Brazil 2 9 stops here Carrier" in text_of(admin.get("/admin/routing"))
    assert "Nothing matches" in admin.get("/admin/routing?huntstop=goes on")
    admin.post(f"/admin/tariffs/{carrier.id}/routes/{route.id}", prefix="55", category="1", preference="9")
    assert not Route.get().huntstop
    billing.get("/admin/routing", 403)
    admin.post(f"/admin/tariffs/{carrier.id}/routes/{route.id}", step="remove")
    assert Route.select().count() == 0
    db.database.close()


def test_what_each_role_may_do_is_said(admin: Operator) -> None:
    page = text_of(admin.get("/admin/users"))
    assert "See prices, charges and balances yes yes yes" in page
