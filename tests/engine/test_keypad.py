"""Each key is taken once, whichever ways a phone tells of it."""

import pytest

from webcb.engine.keypad import Keypad

TOLD = {
    "events alone": ("vvv", "vvv"),
    "INFO alone": ("iii", "iii"),
    "both, events first": ("vivivi", "vvv"),
    "both, INFO first": ("iviviv", "iii"),
    "both, in any order": ("viivvi", "vvv"),
    "the same key twice, both ways": ("vvii", "vv"),
}


@pytest.mark.parametrize("how", TOLD)
def test_each_key_once(how: str) -> None:
    told, taken = TOLD[how]
    keypad = Keypad()
    assert [way for way in told if keypad.is_new("voice" if way == "v" else "info")] == list(taken)
