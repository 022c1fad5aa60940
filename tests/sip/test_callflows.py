"""Every message the RFCs print: read, printed and read again it is the same (RFC 3261, 3665, 4028, 5407)."""

from pathlib import Path

import pytest

from webcb.sip.grammar import ProtocolError
from webcb.sip.message import read_message, split_message
from webcb.sip.sdp import parse_sdp
from webcb.sip.uri import parse_name_address

FILES = sorted((Path(__file__).parent / "callflows").glob("*.msg"))
# Fragments, or printed with less body than they announce: whole messages they are not.
FRAGMENTS = {
    "rfc3261_001", "rfc3261_002", "rfc3261_004", "rfc3261_005", "rfc3261_006", "rfc3261_007", "rfc3261_008", "rfc3261_009",
    "rfc3261_010", "rfc3261_013", "rfc3261_014", "rfc3261_016", "rfc3261_017", "rfc3261_018", "rfc3261_019", "rfc3665_159",
    "rfc4028_001", "rfc4028_003", "rfc4028_004", "rfc4028_005", "rfc5407_002", "rfc5407_015",
}  # fmt: skip


def test_all_are_here():
    assert len(FILES) == 221


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parse_print_parse(path):
    data = path.read_bytes()
    if path.stem[:11] in FRAGMENTS:
        first = split_message(data)
        with pytest.raises(ProtocolError):
            read_message(data)
    else:
        first = read_message(data)
    again = split_message(first.encode())
    assert again.start_line == first.start_line
    assert again.body == first.body
    again.fields.pop("Content-Length")
    first.fields.pop("Content-Length", None)
    assert again.fields == first.fields


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.stem[:11] not in FRAGMENTS], ids=lambda path: path.stem
)
def test_what_they_carry_can_be_read(path):
    message = read_message(path.read_bytes())
    assert message.call_id
    assert message.via.branch.startswith("z9hG4bK")
    for header in ("Contact", "Route", "Record-Route"):
        for value in message.values(header):
            if value != "*":
                parse_name_address(value)
    if message.first("Content-Type") == "application/sdp":
        description = parse_sdp(message.body)
        assert parse_sdp(description.encode()) == description
