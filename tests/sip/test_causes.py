"""Statuses as Q.850 causes (RFC 3398, 8.2.6.1) and the Reason header (RFC 3326)."""

import pytest

from webcb.sip.causes import cause_of_response, print_reason, q850_of_status, read_reason, retry_after
from webcb.sip.events import Cause
from webcb.sip.message import Response

# RFC 3398, 8.2.6.1, row by row (its second 504 is meant for 505).
RFC_3398 = """400 41 401 21 402 21 403 21 404 1 405 63 406 79 407 21 408 102 410 22 413 127 414 127 415 79 416 127 420 127 421 127
423 127 480 18 481 41 482 25 483 25 484 28 485 1 486 17 500 41 501 79 502 38 503 41 504 102 505 127 513 127 600 17 603 21 604 1"""


def test_mapping():
    numbers = [int(word) for word in RFC_3398.split()]
    for status, q850 in zip(numbers[::2], numbers[1::2], strict=True):
        assert q850_of_status(status) == q850
    assert [q850_of_status(status) for status in (302, 499, 599, 699)] == [23, 41, 41, 17]


@pytest.mark.parametrize(
    ("values", "status", "cause"),
    [
        ([], 486, Cause(486, 17, "text")),
        ([], 0, Cause(0, 16, "text")),
        (['Q.850;cause=1;text="Unallocated \\"number\\""'], 404, Cause(404, 1, 'Unallocated "number"')),
        (["q.850 ;cause=34"], 503, Cause(503, 34, "text")),
        (['SIP;cause=200;text="Call completed elsewhere"'], 0, Cause(200, 16, "Call completed elsewhere")),
        (["SIP;cause=600", "Q.850;cause=21"], 486, Cause(486, 21, "text")),
        (
            ["Q.850;cause=x", "Q.850", "Q.850;cause=999999", "Q.850;cause=0", ";;", "X;cause=3"],
            486,
            Cause(486, 17, "text"),
        ),
    ],
)
def test_reading(values, status, cause):
    assert read_reason(values, status, "text") == cause


def test_words_are_cut_and_cleaned():
    assert read_reason([], 486, "a\0b\x1b[31mc" + "d" * 200).text == "ab[31mc" + "d" * 73
    assert read_reason([], 486, "\udcff!").text == "!"


def test_printing_is_read_again():
    cause = Cause(487, 31, 'no "answer"')
    assert read_reason(print_reason(cause), 0, "") == cause
    assert print_reason(Cause(0, 16)) == ["Q.850;cause=16"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("", None), ("18", 18), ("120 (in a meeting);duration=3600", 120), ("7;x", 7), ("99999999999999999", 300),
     ("301", 300), ("-1", None), ("soon", None)],
)  # fmt: skip
def test_retry_after(value, seconds):
    assert retry_after(Response(503, "x", {"Retry-After": [value]} if value else {})) == seconds


def test_malformed_reason_is_passed_over():
    assert cause_of_response(Response(486, "Busy", {"Reason": ['Q.850;text="open']})) == Cause(486, 17, "Busy")
