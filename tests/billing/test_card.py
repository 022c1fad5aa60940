"""IDs of generated cards: how many there are, what does not fit, and that drawing gives each once."""

from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb.billing import card
from webcb.billing.card import Numbering


@pytest.mark.parametrize(
    ("prefix", "length", "room", "first", "last"),
    [
        ("55", 4, 100, "5500", "5599"),  # the handbook's: of 1,000 asked, only 100 would fit
        ("cb1818", 9, 100_000, "cb181800000", "cb181899999"),
        ("cb", 3, 900, "cb100", "cb999"),  # no leading zero
        ("", 1, 9, "1", "9"),
        ("", 10, 9_000_000_000, "1000000000", "9999999999"),
        ("1", 1, 0, None, None),  # all digits are the prefix's
        ("123", 2, 0, None, None),
    ],
)
def test_room(prefix: str, length: int, room: int, first: str | None, last: str | None) -> None:
    numbering = Numbering(prefix, length)
    assert numbering.room == room
    if room:
        assert (numbering.id(0), numbering.id(room - 1)) == (first, last)


@pytest.mark.parametrize(
    ("prefix", "length", "said"),
    [
        ("cb", 9, None),
        ("", 9, None),
        ("1cb", 9, "ID prefix: write letters, then digits, as in cb or cb1818"),
        ("cb-", 9, "ID prefix: write letters, then digits, as in cb or cb1818"),
        ("é", 9, "ID prefix: write letters, then digits, as in cb or cb1818"),
        ("cb٣", 9, "ID prefix: write letters, then digits, as in cb or cb1818"),
        ("cb01", 9, "ID prefix: the digits of an ID do not begin with 0"),
        ("a" * 17, 9, "ID prefix: at most 16 letters"),
        ("cb", 0, "ID length: 1 to 32 digits"),
        ("cb", 33, "ID length: 1 to 32 digits"),
    ],
)
def test_problem(prefix: str, length: int, said: str | None) -> None:
    assert card.problem(Numbering(prefix, length)) == said


@pytest.mark.parametrize(
    ("prefix", "length", "quantity", "taken", "said"),
    [
        ("55", 4, 100, 0, None),
        (
            "55",
            4,
            1000,
            0,
            "1,000 IDs do not fit: with length 4 and prefix 55 there are 100. Ask for at most 100, or for length 5.",
        ),
        (
            "55",
            4,
            100,
            1,
            "100 IDs do not fit: with length 4 and prefix 55 there are 100, 1 of them in use."
            " Ask for at most 99, or for length 5.",
        ),
        (
            "cb12345",
            4,
            1,
            0,
            "1 IDs do not fit: with length 4 and prefix cb12345 there are 0. Ask for length 6.",
        ),
        ("", 1, 9, 0, None),
        (
            "",
            1,
            10,
            0,
            "10 IDs do not fit: with length 1 and prefix empty there are 9. Ask for at most 9, or for length 2.",
        ),
    ],
)
def test_misfit(prefix: str, length: int, quantity: int, taken: int, said: str | None) -> None:
    assert card.misfit(Numbering(prefix, length), quantity, taken) == said


@given(
    prefix=st.from_regex(r"[a-zA-Z]{0,3}([1-9][0-9]{0,2})?", fullmatch=True),
    more=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_every_id_that_is_free_is_drawn_once(prefix: str, more: int, seed: int, data: st.DataObject) -> None:
    numbering = Numbering(prefix, len(prefix) - len(prefix.rstrip("0123456789")) + more)
    taken = data.draw(st.sets(st.integers(0, numbering.room - 1), max_size=50))
    ids = list(card.drawn(numbering, lambda: taken, Random(seed).randrange))
    assert len(ids) == len(set(ids)) == numbering.room - len(taken)
    assert {numbering.place(each) for each in ids} == set(range(numbering.room)) - taken
    assert all(each.startswith(prefix) and each[len(numbering.letters)] != "0" for each in ids)


def test_of_very_many_ids_those_taken_are_not_listed() -> None:
    def taken() -> set[int]:
        raise AssertionError("never asked")

    ids = list(islice(card.drawn(Numbering("cb", 12), taken, Random(1).randrange), 1000))
    assert all(len(each) == 14 and each.startswith("cb") and each[2] != "0" for each in ids)
    assert len(set(ids)) == 1000


@pytest.mark.parametrize("login", ["cb099", "cb1000", "cb10", "xx100", "cb1a0", "cb1٣0", ""])
def test_an_id_of_another_numbering_has_no_place(login: str) -> None:
    assert Numbering("cb", 3).place(login) is None
