"""The look of the pages: which colours can be read, and texts in several languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb import brand

COLOURS = st.tuples(*[st.integers(0, 255)] * 3).map(lambda parts: "#{:02x}{:02x}{:02x}".format(*parts))


def test_contrast_is_that_of_wcag() -> None:
    assert brand.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert brand.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert brand.contrast("#0f766e", "#0f766e") == pytest.approx(1)


@given(COLOURS)
def test_what_is_taken_can_be_read_in_light_and_dark(colour: str) -> None:
    try:
        taken = brand.read_colour(colour)
    except ValueError as refused:
        taken = brand.read_colour(str(refused).partition("; ")[2].partition(" ")[0])  # what it proposes is good itself
    light, dark = brand.light_shades(taken), brand.dark_shades(taken)
    for ground in ("#ffffff", "#f4f6f7", light.wash):
        assert brand.contrast(light.accent, ground) >= brand.CONTRAST_MIN
    for ground in ("#171e24", dark.wash, dark.ink):
        assert brand.contrast(dark.accent, ground) >= brand.CONTRAST_MIN
    assert brand.contrast(light.ink, light.strong) >= brand.CONTRAST_MIN
    assert brand.contrast(dark.ink, dark.strong) >= brand.CONTRAST_MIN


@pytest.mark.parametrize("text", ["", "red", "#fff", "#0f766", "#0f766e;", "0f766e", "#ggg000", "#0f766e\n"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a colour"):
        brand.read_colour(text)


def test_texts_by_language() -> None:
    written = "Talk to us. [pt] Fale conosco. [de] Rufen Sie uns an [heute]."
    with pytest.raises(ValueError, match=r"\[he"):
        brand.read_texts("x [he] y")
    assert brand.text_in(written, "pt") == "Fale conosco."
    assert brand.text_in(written, "de") == "Rufen Sie uns an [heute]."
    assert brand.text_in(written, "ar") == "Talk to us."
    assert brand.text_in("", "en") == ""


@pytest.mark.parametrize("wrong", ["[pt] Fale", "a [pt]", "a [pt] b [pt] c", "a [xx] b"])
def test_texts_that_say_nothing_to_somebody_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        brand.read_texts(wrong)
