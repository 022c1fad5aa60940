"""Service passwords and trunk passwords."""

import time

import pytest
from argon2 import extract_parameters

from webcb.billing import credentials


def test_a_password_is_known_again_and_no_other():
    stored = credentials.hash_password("open sesame")
    assert "sesame" not in stored
    assert credentials.verify_password(stored, "open sesame")
    for other in ("open sesam", "open sesame ", "", "x" * 1000, "\udc80"):
        assert not credentials.verify_password(stored, other)
    assert credentials.hash_password("open sesame") != stored  # salted


def test_nobody_has_a_password():
    for typed in ("", "anything"):
        assert not credentials.verify_password("", typed)
        assert not credentials.verify_password("no hash at all", typed)


def test_not_even_the_password_that_nobody_has_lets_nobody_in(monkeypatch):
    monkeypatch.setattr(credentials, "_NOBODY", credentials.hash_password("of nobody"))
    assert not credentials.verify_password("", "of nobody")


@pytest.mark.parametrize("password", ["", "x" * 257])
def test_a_password_has_a_length(password):
    with pytest.raises(ValueError, match="1 to 256"):
        credentials.hash_password(password)


def test_an_unknown_id_costs_the_same_work_as_a_wrong_password():
    stored = credentials.hash_password("open sesame")
    assert extract_parameters(stored) == extract_parameters(credentials._NOBODY)

    taken: dict[str, list[float]] = {stored: [], "": []}
    for _ in range(9):  # in turns, the quickest of each: what else the machine does comes to both
        for of, seconds in taken.items():
            start = time.perf_counter()
            credentials.verify_password(of, "wrong")
            seconds.append(time.perf_counter() - start)
    assert 0.4 < min(taken[stored]) / min(taken[""]) < 2.5


def test_what_was_right_is_found_right_again_without_an_argon2_and_nothing_else(monkeypatch):
    credentials.use_key("one")
    stored, newer = credentials.hash_password("open sesame"), credentials.hash_password("close sesame")
    verified = []
    monkeypatch.setattr(
        credentials, "_verify", lambda *typed, verify=credentials._verify: verified.append(typed) or verify(*typed)
    )
    tries = [(stored, "open sesame"), (stored, "open sesam"), (newer, "open sesame"), ("", "open sesame")]
    for _ in range(3):
        assert [credentials.verify_password(*typed) for typed in tries] == [True, False, False, False]
    assert [verified.count(typed) for typed in tries] == [1, 3, 3, 3]

    asking = credentials.hash_password("who?")
    assert credentials.verify_password(asking, "who?")
    no_character_of_utf_8 = "who\udc80"
    assert not credentials.verify_password(asking, no_character_of_utf_8)

    drawn = credentials.hash_drawn("abc")
    assert credentials.verify_password(drawn, "abc")
    credentials.use_key("two")
    assert not credentials.verify_password(drawn, "abc")


def test_a_process_remembers_a_bounded_number_of_passwords(monkeypatch):
    monkeypatch.setattr(credentials, "_verify", lambda *_: True)
    credentials.use_key("one")
    for number in range(credentials.REMEMBERED_MAX + 5):
        assert credentials.verify_password("hash", str(number))
    assert len(credentials._memory) == credentials.REMEMBERED_MAX
    assert not any(b"hash" in mark for mark in credentials._memory)


def test_a_trunk_password_opens_with_the_key_it_was_sealed_with():
    credentials.use_key("one")
    sealed = credentials.seal("trunk")
    assert "trunk" not in sealed and credentials.unseal(sealed) == "trunk"
    assert credentials.seal("") == credentials.unseal("") == ""
    credentials.use_key("two")
    with pytest.raises(credentials.SealProblem, match="set the connection's password again"):
        credentials.unseal(sealed)
    with pytest.raises(credentials.SealProblem, match="set the connection's password again"):
        credentials.unseal("ä")


def test_without_a_key_nothing_is_sealed(monkeypatch):
    monkeypatch.setattr(credentials, "_keys", [])
    with pytest.raises(credentials.SealProblem, match="use_key comes first"):
        credentials.seal("trunk")
