"""Translation rules: Perl substitutions that change a number or an account ID on its way (domain 6 and 8). Pure.

A rule is statements in sequence, `;` between: `s/^00//; s/^0([1-9])/55$1/; tr/ -//d`. Patterns are RE2's: they match in linear
time, whatever is typed, and know no look-around and no backreference in the pattern.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import re2

RULE_LENGTH_MAX: Final = 500
STATEMENTS_MAX: Final = 20
TEXT_LENGTH_MAX: Final = 200  # of what a rule makes; more is cut, so that s/(.*)/$1$1/ does not grow without end
COMPILED_BYTES_MAX: Final = 1 << 20
DELIMITERS: Final = "/|#!,:~@%"


class RuleError(ValueError):
    """Text that is no translation rule; the message says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Substitution:
    """`s/pattern/replacement/`: `pieces` are text, or the number of a group."""

    pattern: Any
    pieces: tuple[str | int, ...]
    everywhere: bool

    def apply(self, text: str) -> str:
        """The text with the first match replaced, or all of them."""
        return str(self.pattern.sub(self._replaced, text, 0 if self.everywhere else 1))

    def _replaced(self, match: Any) -> str:
        return "".join(each if isinstance(each, str) else match.group(each) or "" for each in self.pieces)


@dataclass(frozen=True, slots=True)
class Transliteration:
    """`tr/abc/xyz/`: letters for letters; those mapped to None go."""

    letters: dict[int, str | None]

    def apply(self, text: str) -> str:
        """The text with every letter looked up."""
        return text.translate(self.letters)


Rule = tuple[Substitution | Transliteration, ...]


def translate(rule: Rule, text: str) -> str:
    """What the statements make of a text, one after the other."""
    for statement in rule:
        text = statement.apply(text)[:TEXT_LENGTH_MAX]
    return text


@cache
def parse_rule(text: str) -> Rule:
    """Read a rule; "" is the rule that changes nothing. Raises RuleError."""
    if len(text) > RULE_LENGTH_MAX:
        raise RuleError(f"write at most {RULE_LENGTH_MAX} characters")
    statements: list[Substitution | Transliteration] = []
    rest = text.strip()
    while rest:
        if len(statements) >= STATEMENTS_MAX:
            raise RuleError(f"write at most {STATEMENTS_MAX} statements")
        statement, rest = _statement(rest)
        statements.append(statement)
        if rest and rest[0] != ";":
            raise RuleError(f"write ; between statements, before {rest[:20]!r}")
        rest = rest[1:].strip()
    return tuple(statements)


def _statement(text: str) -> tuple[Substitution | Transliteration, str]:
    """The statement at the start of `text`, and what follows it."""
    word = next((each for each in ("tr", "s", "y") if text.startswith(each)), "")
    delimiter = text[len(word) : len(word) + 1]
    if not word or not delimiter or delimiter not in DELIMITERS:
        raise RuleError(f"{text[:20]!r} is no statement; write s/^00// or tr/ab/xy/")
    searched, rest = _until(text[len(word) + 1 :], delimiter)
    replacement, rest = _until(rest, delimiter)
    flags = ""
    while rest and rest[0].isalpha():
        flags, rest = flags + rest[0], rest[1:]
    made = (_substitution if word == "s" else _transliteration)(searched, replacement, flags)
    return made, rest.lstrip()


def _until(text: str, delimiter: str) -> tuple[str, str]:
    """The text before the next delimiter that no backslash hides, and what follows it."""
    part = ""
    at = 0
    while at < len(text):
        letter = text[at]
        if letter == delimiter:
            return part, text[at + 1 :]
        if letter == "\\" and at + 1 < len(text):
            at += 1
            letter = text[at] if text[at] == delimiter else f"\\{text[at]}"
        part += letter
        at += 1
    raise RuleError(f"a {delimiter} is missing; write s{delimiter}what{delimiter}by what{delimiter}")


def _substitution(pattern: str, replacement: str, flags: str) -> Substitution:
    if set(flags) - set("gi"):
        raise RuleError(f"the flags of s/// are g and i, not {flags!r}")
    options = re2.Options()
    options.case_sensitive = "i" not in flags
    options.log_errors = False
    options.max_mem = COMPILED_BYTES_MAX
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as wrong:
        said = wrong.args[0].decode(errors="replace") if isinstance(wrong.args[0], bytes) else wrong.args[0]
        raise RuleError(f"the pattern {pattern!r} cannot be used: {said}") from None
    pieces = _pieces(replacement)
    missing = next((each for each in pieces if isinstance(each, int) and each > compiled.groups), None)
    if missing is not None:
        raise RuleError(f"${missing} has no pair of parentheses in {pattern!r}")
    return Substitution(compiled, pieces, "g" in flags)


def _pieces(replacement: str) -> tuple[str | int, ...]:
    """A replacement as text and numbers of groups: `$1` to `$9`, `${1}`, `$&` for the whole match, `\\$` for a dollar."""
    pieces: list[str | int] = []
    at = 0
    while at < len(replacement):
        letter, following = replacement[at], replacement[at + 1 : at + 2]
        if letter == "\\" and following:
            pieces.append(following)
            at += 2
        elif letter == "$" and following and following in "123456789":
            pieces.append(int(following))
            at += 2
        elif letter == "$" and following == "&":
            pieces.append(0)
            at += 2
        elif replacement[at : at + 2] == "${" and replacement[at + 2 : at + 4] in [
            f"{number}}}" for number in range(10)
        ]:
            pieces.append(int(replacement[at + 2]))
            at += 4
        elif letter == "$":
            raise RuleError(r"in a replacement, $ stands before the number of a group; write \$ for a dollar")
        else:
            pieces.append(letter)
            at += 1
    return tuple(pieces)


def _transliteration(searched: str, replacement: str, flags: str) -> Transliteration:
    if flags not in ("", "d"):
        raise RuleError(f"the flag of tr/// is d, not {flags!r}")
    before, after = _expanded(searched), _expanded(replacement)
    if not before:
        raise RuleError("tr/// names no letters; write tr/ab/xy/")
    if len(after) > len(before):
        raise RuleError("tr/// has more letters on its right side than on its left")
    if "d" not in flags:  # as in Perl: the last letter stands for those that are missing, none at all for themselves
        after = after or before
        after += after[-1] * (len(before) - len(after))
    letters: dict[int, str | None] = {}
    for at, letter in enumerate(before):
        letters.setdefault(ord(letter), after[at] if at < len(after) else None)
    return Transliteration(letters)


def _expanded(letters: str) -> str:
    """`0-9` written out; a backslash takes the next letter as it is."""
    found: list[str] = []
    at = 0
    while at < len(letters):
        if letters[at] == "\\" and at + 1 < len(letters):
            at += 1
        elif letters[at] == "-" and found and at + 1 < len(letters):
            first, last = ord(found[-1]) + 1, ord(letters[at + 1])
            if last < first - 1 or last - first > 255:
                raise RuleError(f"{found[-1]}-{letters[at + 1]} is no range of letters")
            found += map(chr, range(first, last + 1))
            at += 2
            continue
        found.append(letters[at])
        at += 1
    return "".join(found)
