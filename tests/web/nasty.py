"""Nasty input: strings that break what is careless, and what must never come of them."""

import html
import re
from typing import Final

from werkzeug.test import TestResponse

MARK: Final = "n4sty"  # stands in what must not be found as it was sent

# Each is several kinds of nasty at once, so that a few of them are enough for every run.
STRINGS: Final = (
    f"<script>{MARK}</script>\"'><img src={MARK} onerror={MARK}>{{{{1337*1337}}}}${{1337*1337}}<%= 1337*1337 %>",
    f"{MARK}\r\nX-Nasty: 1\r\n\r\n<b>{MARK}</b>\0\x08\x1b[31m\x7f",
    f"=cmd|' /C calc'!A0 {MARK}",
    "' OR '1'='1'; DROP TABLE account; -- %' _\\",
    "\u202e\u2066\ufeff\U0001f4a9\u0663\u0662\u0131\u0130\ufdfa" + "\U0001d7d9" * 300,
    "../../../../etc/passwd%00.wav",
    "-99999999999999999999.9e999",
    "9" * 400,
)

# The rest, one kind each: for long runs.
MORE: Final = (
    *("", " ", "\0", "\t", "\n", "\r\n", "0", "-0", "-1", "1e400", "nan", "inf", "0x10", "1_000", "\u0661\u0662", "1,5", "1.5.5"),
    *("null", "None", "undefined", "true", "[]", "[[]]", '{"a":1}', "\\", "\\'", '\\"', "%", "%%", "%s%n%x", "%00", "%ff", "{0}"),
    *("{}", "{{7*7}}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "$(id)", "`id`", "; id", "| id", "&& id", "\n id", "-rf", "--help", "@x"),
    *("+1+1", "-1+1", "=1+1", "@SUM(1)", "\t=1+1", "javascript:alert(1)", "data:text/html,x", "//evil.example", "https://evil.example"),
    *("CON", "NUL", ".", "..", "...", "a/b", "a\\b", "~", "~root", "C:\\", "\\\\evil\\x", "file:///etc/passwd", "2026-02-30", "24:61"),
    *("0000-00-00T00:00", "9999-12-31T23:59:60Z", "A" * 70, "A" * 5000, "\u0301" * 500, "\u200b", "\u2028", "\ufffe", "\U0010ffff"),
    *("sip:x@y", "<sip:x@y>;tag=1", "1\r\nVia: x", "+12065550123;ext=5", "tel:+1", "911", "\u0030\u20e3", "e\u0301", "\xad" * 90),
)  # fmt: skip


def wrong_with(answer: TestResponse, sent: str) -> str:
    """What came of it that must not: "" where nothing did."""
    if answer.status_code >= 500:
        return f"{answer.status_code}"
    for name, value in answer.headers:
        if name.lower() == "x-nasty" or "\n" in value or "\r" in value:
            return f"header {name}"
    if re.match(r"https?://(?!localhost)|//", answer.headers.get("Location", "")):
        return f"leads to {answer.headers['Location']}"
    if not answer.content_type.startswith("text/html"):
        return ""
    page = answer.text
    if "1787569" in page:
        return "it was evaluated"
    if MARK in sent and re.search(rf"<(?:script|img|b)[^>]*>?{MARK}|<img src={MARK}|<b>{MARK}", page):
        return "it is not escaped"
    if "Traceback (most recent" in page:
        return "a traceback"
    return ""


def fields_of(page: str) -> dict[str, set[str]]:
    """The names of the fields of each form of a page, by the address that it is sent to ("": the page itself)."""
    found: dict[str, set[str]] = {}
    for form in re.findall(r"(?s)<form\b.*?</form>", page):
        action = re.search(r'<form[^>]*\baction="([^"]*)"', form)
        names = re.findall(r'\bname="([^"]+)"', form)
        found.setdefault(html.unescape(action[1]) if action else "", set()).update(map(html.unescape, names))
    return found
