"""Translation rules: what Perl would make of a number, in linear time, and errors that say what would be right."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb.translation import RULE_LENGTH_MAX, TEXT_LENGTH_MAX, RuleError, parse_rule, translate


@pytest.mark.parametrize(
    ("rule", "text", "becomes"),
    [
        ("", "5511999887766", "5511999887766"),
        ("s/^/cb/", "5511999887766", "cb5511999887766"),
        ("s/^/cb/; s/^cb00/cb/", "005511999887766", "cb5511999887766"),
        ("s/^55(..)/0$1/", "5511999887766", "011999887766"),
        ("s/^(1)(206)/${2}0$1/;", "12065550142", "206015550142"),
        (r"s/^/\$/", "1", "$1"),
        ("s/^55/+$&/", "5511", "+5511"),
        ("s|/|-|g", "a/b/c", "a-b-c"),
        (r"s/\//-/", "a/b/c", "a-b/c"),
        ("s/B/x/i", "abab", "axab"),
        ("s/b/x/gi", "aBab", "axax"),
        ("s/x//", "abc", "abc"),
        ("s/(x)?b/<$1>/", "abc", "a<>c"),
        (r"s/\D//g", "+1 (206) 555-0142", "12065550142"),
        ("tr/ ()-//d", "+1 (206) 555-0142", "+12065550142"),
        ("tr/a-c/A-C/", "abcd", "ABCd"),
        ("y/abc/x/", "abcd", "xxxd"),
        ("tr/0-9//", "120", "120"),
        (r"tr/a\-c/x\-z/", "a-c", "x-z"),
        (" s#^00## ;  s#^0#44# ", "020", "4420"),
    ],
)
def test_what_a_rule_makes_of_a_text(rule: str, text: str, becomes: str) -> None:
    assert translate(parse_rule(rule), text) == becomes


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("x", "no statement"),
        ("sub/a/b/", "no statement"),
        ("s", "no statement"),
        ("s/a/b", "a / is missing"),
        ("s/a", "a / is missing"),
        ("s/a/b/x", "g and i"),
        ("s/a/b/ s/c/d/", "write ; between"),
        ("s/(/b/", "cannot be used"),
        (r"s/(a)\1/b/", "cannot be used"),
        ("s/(?=a)/b/", "cannot be used"),
        ("s/a/$1/", "no pair of parentheses"),
        ("s/a/$x/", "stands before the number"),
        ("s/a/b$/", "stands before the number"),
        ("tr/a/bc/", "more letters"),
        ("tr//b/", "no letters"),
        ("tr/z-a//d", "no range"),
        ("tr/a/b/g", "the flag of tr"),
        ("s/a/b/;" * 21, "at most 20"),
        ("s/a/" + "b" * RULE_LENGTH_MAX + "/", "at most 500"),
    ],
)
def test_what_is_no_rule_is_told(rule: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        parse_rule(rule)


def test_no_pattern_is_catastrophic_and_no_result_without_end() -> None:
    began = time.perf_counter()
    assert translate(parse_rule("s/^(a+)+$/x/"), "a" * TEXT_LENGTH_MAX + "b") == "a" * TEXT_LENGTH_MAX
    assert len(translate(parse_rule("s/(.*)/$1$1/;" * 20), "12065550142")) == TEXT_LENGTH_MAX
    assert time.perf_counter() - began < 1


@given(st.text(alphabet="s/|tryi;$1{}&\\()[]+*?^ab0-9", max_size=40), st.text(max_size=40))
def test_whatever_is_written_is_a_rule_or_an_error_of_ours(rule: str, text: str) -> None:
    try:
        parsed = parse_rule(rule)
    except RuleError:
        return
    assert len(translate(parsed, text)) <= TEXT_LENGTH_MAX
