"""The picture of a trigger page, uploaded: what it is decides, what is kept is its pixels, and the page shows it."""

import io
import struct
import zlib

import pytest
from flask import Flask
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.web.admin.conftest import enter
from tests.web.hand import hidden
from webcb.models import VoiceApplication
from webcb.web.admin import logos

PAGE = "/admin/voice-applications/1/picture"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def picture(kind: str = "PNG", size: tuple[int, int] = (900, 300), said: str = "") -> bytes:
    out, more = io.BytesIO(), PngInfo()
    more.add_text("Comment", said or "-")
    Image.new("RGB", size, "#0f766e").save(out, kind, **({"pnginfo": more} if kind == "PNG" else {}))
    return out.getvalue()


def bomb() -> bytes:
    """A PNG that says to be 60,000 by 60,000."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack("!I", len(body)) + name + body + struct.pack("!I", zlib.crc32(name + body))

    head = struct.pack("!IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_what_is_kept_is_a_png_of_its_pixels_alone(kind: str) -> None:
    made = logos.encoded(picture(kind, said="<script>alert(1)</script>"))
    kept = Image.open(io.BytesIO(made))
    assert (kept.format, kept.size) == ("PNG", (512, 171))
    assert b"script" not in made


@pytest.mark.parametrize("wrong", [SVG, b"", b"GIF89a", picture()[:60], bomb(), b"%PDF-1.7"], ids=range(6))
def test_what_is_no_picture_is_refused(wrong: bytes) -> None:
    with pytest.raises(logos.PictureProblem):
        logos.encoded(wrong)


def test_the_page_shows_what_was_uploaded(users: Flask) -> None:
    client = users.test_client()
    enter(client, "administrator")
    token = hidden(client.get(PAGE).text, "csrf_token")

    def send(content: bytes, name: str = "logo.svg.png"):
        return client.post(PAGE, data={"csrf_token": token, "file": (io.BytesIO(content), name)})

    assert send(SVG).status_code == 422
    assert send(picture()).status_code == 303
    first = VoiceApplication.get_by_id(1)
    shown = client.get("/logo" if first.path == "-" else f"/{first.path}/logo")
    assert (shown.status_code, shown.mimetype) == (200, "image/png")
    assert Image.open(io.BytesIO(shown.data)).size == (512, 171)
    folder = users.extensions["webcb_settings"].data_dir / "logos"
    assert send(picture(size=(20, 20))).status_code == 303
    assert [each.name for each in folder.iterdir()] == [VoiceApplication.get_by_id(1).logo_file], "the old one is gone"
    assert client.post(PAGE, data={"csrf_token": token, "step": "remove"}).status_code == 303
    assert (VoiceApplication.get_by_id(1).logo_file, list(folder.iterdir())) == ("", [])


def test_who_may_look_may_not_upload(users: Flask) -> None:
    client = users.test_client()
    enter(client, "support")
    seen = client.get(PAGE)
    if seen.status_code == 200:
        assert "multipart" not in seen.text
    token = hidden(client.get("/admin/me").text, "csrf_token")
    assert client.post(PAGE, data={"csrf_token": token, "file": (io.BytesIO(picture()), "x.png")}).status_code == 403
