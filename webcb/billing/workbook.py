"""Tables of cells as .csv and .xlsx files, in and out, by libraries. What the cells mean stands elsewhere. Pure.

A text that a spreadsheet would take for a formula is written with an apostrophe before it, and read without.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, Literal

import xlsxwriter
from python_calamine import CalamineError, CalamineWorkbook

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
UNPACKED_BYTES_MAX: Final = 1024 * 1024 * 1024  # of an .xlsx, which is a zip archive
ROWS_MAX: Final = 1_000_000  # what one sheet of .xlsx holds
CELL_CHARACTERS_MAX: Final = 2000

Format = Literal["csv", "xlsx"]
FORMATS: Final[tuple[Format, ...]] = ("csv", "xlsx")

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
_ZIP = b"PK\x03\x04"


class UnreadableFile(Exception):
    """A file that is no table; the message says why and what would be right."""


def read(content: bytes) -> list[list[str]]:
    """The rows of a file as texts, trimmed; empty rows are there, so that a row's place is its line. Raises UnreadableFile.

    An .xlsx is known by its first bytes; everything else is CSV in UTF-8, with comma, semicolon or tab between.
    """
    if len(content) > FILE_BYTES_MAX:
        raise UnreadableFile(f"the file has more than {FILE_BYTES_MAX // 2**20} MB; split it")
    table = _from_xlsx(content) if content.startswith(_ZIP) else _from_csv(content)
    if len(table) > ROWS_MAX:
        raise UnreadableFile(f"the file has more than {ROWS_MAX:,} lines; split it")
    return table


def _from_csv(content: bytes) -> list[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        raise UnreadableFile(f"line {line}: not UTF-8 text; save the file as CSV UTF-8, or as .xlsx") from None
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    rows: list[list[str]] = []
    try:
        # A quoted cell may go over several lines: rows are set at the line where they begin.
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        begun = 0
        for row in reader:
            rows += [[] for _ in range(begun - len(rows))]
            rows.append([_trimmed(cell) for cell in row])
            begun = reader.line_num
    except csv.Error as wrong:
        raise UnreadableFile(f"line {reader.line_num}: not CSV: {wrong}") from None
    return rows


def _from_xlsx(content: bytes) -> list[list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > UNPACKED_BYTES_MAX:
                raise UnreadableFile("the workbook is too large when unpacked; split it")
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, zipfile.BadZipFile, IndexError) as wrong:
        raise UnreadableFile(f"not an .xlsx workbook: {wrong}") from None
    return [[_text(cell) for cell in row] for row in rows]


def _text(cell: Any) -> str:
    match cell:
        case bool():
            return "yes" if cell else "no"
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime():
            return cell.isoformat(sep=" ")
        case float():
            return f"{Decimal(repr(cell)):f}"
        case int() | date() | time() | timedelta():
            return str(cell)
        case _:
            return _trimmed(str(cell))


def _trimmed(text: str) -> str:
    text = text.strip()[: CELL_CHARACTERS_MAX + 1]
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_SIGNS) else text


def write(heads: Sequence[str], rows: Iterable[Sequence[Any]], as_format: Format) -> bytes:
    """A table as a file. Cells are texts, whole numbers, Decimals, booleans (yes, no) or None."""
    return _to_csv(heads, rows) if as_format == "csv" else _to_xlsx(heads, rows)


def _to_csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(heads)
    writer.writerows([_guarded(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _to_xlsx(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(
        content, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        sheet, bold = book.add_worksheet(), book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        for column, head in enumerate(heads):
            sheet.set_column(column, column, max(12, len(head) + 2))
            sheet.write_string(0, column, head, bold)
        for line, row in enumerate(rows, 1):
            for column, cell in enumerate(row):
                if isinstance(cell, int | Decimal) and not isinstance(cell, bool):
                    sheet.write_number(line, column, cell)
                elif cell not in (None, ""):
                    sheet.write_string(line, column, str(_guarded(cell)))
    return content.getvalue()


def _guarded(cell: Any) -> Any:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str) and cell.startswith(_FORMULA_SIGNS):
        return f"'{cell}"
    return "" if cell is None else cell
