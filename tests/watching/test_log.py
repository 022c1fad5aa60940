"""Log lines: one each, about which callback, numbers masked, as text and as JSON."""

import json
import logging
import sys

import pytest

from webcb.watching import log

ID = "0123456789abcdef0123"


def line(formatter: logging.Formatter, message: str, *arguments: object, error: bool = False) -> str:
    trouble = None
    if error:
        try:
            raise ValueError("no route to +5511999887766")
        except ValueError:
            trouble = sys.exc_info()
    return formatter.format(logging.LogRecord("webcb.engine", logging.INFO, "", 1, message, arguments, trouble))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("A 5511999887766, B +12065554123", "A 5511999887***, B +12065554***"),
        ("INVITE sip:5511999887766@192.0.2.1:5060", "INVITE sip:5511999887***@192.0.2.1:5060"),
        ("A 5511999887***", "A 5511999887***"),
        (f"callback {ID}: 12345678 micros locked", f"callback {ID}: 12345678 micros locked"),
        ("callback 01234567890123456789: ended", "callback 01234567890123456789: ended"),
        ("RTP port 20000 of 192.168.100.200, process 4194304", "RTP port 20000 of 192.168.100.200, process 4194304"),
    ],
)
def test_what_may_be_a_telephone_number_is_masked_and_nothing_else(written: str, read: str) -> None:
    assert log.masked(written) == read


def test_a_line_says_which_callback_it_is_about() -> None:
    text = log.TextFormatter()
    assert line(text, "callback %s: %s", ID, "busy").endswith(f" INFO webcb.engine: callback {ID}: busy")
    with log.about(ID):
        assert line(text, "no line is free").endswith(f" INFO webcb.engine: [{ID}] no line is free")
    assert line(text, "engine is up").endswith(" INFO webcb.engine: engine is up")


def test_an_entry_of_json_is_one_line_whatever_happened() -> None:
    with log.about(ID):
        written = line(log.JsonFormatter("node-1"), "cannot call %s", "+5511999887766", error=True)
    assert "\n" not in written
    read = json.loads(written)
    assert (read["node"], read["level"], read["logger"], read["callback"]) == ("node-1", "info", "webcb.engine", ID)
    assert read["message"] == "cannot call +5511999887***"
    assert "ValueError: no route to +5511999887***" in read["trace"]
    assert "callback" not in json.loads(line(log.JsonFormatter("node-1"), "engine is up"))
