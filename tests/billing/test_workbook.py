"""Tables as files: what is written is read the same, whatever stands in the cells; what is no table is said."""

import io
import zipfile
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb.billing import workbook
from webcb.billing.workbook import FORMATS, Format, UnreadableFile

TEXTS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"], exclude_characters="\ufeff\uffff\ufffe"),
    max_size=20,
)
MICROS = st.integers(0, 10**12).map(lambda micros: Decimal(micros) / 1_000_000)


@given(st.lists(st.tuples(TEXTS, MICROS, st.integers(0, 10**9), st.booleans()), max_size=5), st.sampled_from(FORMATS))
def test_what_is_written_is_read(rows: list[tuple], as_format: Format) -> None:
    read = workbook.read(workbook.write(["text", "price", "seconds", "yes"], rows, as_format))
    assert read[0] == ["text", "price", "seconds", "yes"]
    back = [(text, Decimal(price), int(seconds), yes == "yes") for text, price, seconds, yes in read[1:]]
    assert back == [tuple(row) for row in rows]


@pytest.mark.parametrize("text", ["=1+1", "+55", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0"])
def test_no_spreadsheet_takes_a_text_for_a_formula(text: str) -> None:
    written = workbook.write(["a"], [[text]], "csv")
    assert b"'" + text.encode()[:4] in written
    with zipfile.ZipFile(io.BytesIO(workbook.write(["a"], [[text]], "xlsx"))) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
    assert workbook.read(written)[1] == [text]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_and_marks_of_other_programs(delimiter: str) -> None:
    content = f'\ufeffa{delimiter}b\r\n" x {delimiter}\ny"{delimiter}2\r\n\r\n3{delimiter}4'.encode()
    assert workbook.read(content) == [["a", "b"], [f"x {delimiter}\ny", "2"], [], [], ["3", "4"]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,\xff", "line 2: not UTF-8 text; save the file as CSV UTF-8, or as .xlsx"),
        (b'a,b\n"1,2', "line 2: not CSV: unexpected end of data"),
        (b"PK\x03\x04nothing", "not an .xlsx workbook: File is not a zip file"),
        (b"a" * (workbook.FILE_BYTES_MAX + 1), "the file has more than 64 MB; split it"),
    ],
)
def test_what_is_no_table(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableFile) as wrong:
        workbook.read(content)
    assert str(wrong.value) == said


def test_a_small_archive_that_unpacks_to_very_much_is_not_unpacked() -> None:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as entry,
    ):
        for _ in range(65):
            entry.write(bytes(16 * 1024 * 1024))
    assert len(packed.getvalue()) < workbook.FILE_BYTES_MAX
    with pytest.raises(UnreadableFile, match="the workbook is too large when unpacked"):
        workbook.read(packed.getvalue())
