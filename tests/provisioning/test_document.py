"""Reading a provisioning file: what is typed, what is said."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb.provisioning import document, source
from webcb.provisioning.document import read


def said(text: str | bytes) -> list[str]:
    content = text if isinstance(text, bytes) else text.encode()
    return [problem.said("f.yaml") for problem in sorted(read(content).problems)]


RATE = "{prefix: 1, first_price: 0.1, next_price: 0.1, first_interval_seconds: 60, next_interval_seconds: 6"
TARIFF = "tariffs:\n- {name: T, currency: USD, rates: [%s]}"
ACCOUNT = "accounts:\n- {login: a, customer: C, product: P, %s}"

# What is typed, then the one thing that is said of it.
TYPED = [
    tuple(block.split("\n=> ")) for block in (Path(__file__).parent / "typed.txt").read_text().strip().split("\n\n")
]
UNREADABLE = [
    ("nodes:\n\t- name: a", "line 2: not YAML: found character that cannot start any token"),
    (b"nodes:\n- name: \xff", "line 2: not UTF-8 text; save the file as UTF-8"),
    ("nodes: \x00", "not YAML: unacceptable character #x0000: control characters are not allowed"),
    ("nodes:\n- name: a\n\n- name: a", "line 4, nodes: node 'a' is already on line 2; keep one"),
]


@pytest.mark.parametrize(("typed", "expected"), TYPED + UNREADABLE)
def test_what_is_wrong_is_said_with_line_field_and_what_would_be_right(typed: str | bytes, expected: str) -> None:
    (found,) = said(typed)
    place, _, rest = found.partition(" ")
    assert place in ("f.yaml,", "f.yaml:")
    assert rest == expected


def test_all_mistakes_are_said_at_once() -> None:
    text = "nodes:\n- nam: a\ndestinations:\n- {prefix: 0}\n- {prefix: 1, country: BRA}\naccunts:\n"
    assert [line.partition(":")[0] for line in said(text)] == [
        "f.yaml, line 2, nodes.nam",
        "f.yaml, line 2, nodes.name",
        "f.yaml, line 4, destinations.prefix",
        "f.yaml, line 5, destinations.country",
        "f.yaml, line 6, accunts",
    ]


@pytest.mark.parametrize(
    "typed", ["service_password: ''", f"service_password: {'s3cret' * 30}", "service_password: [s3cret]"]
)
def test_a_wrong_password_is_not_repeated(typed: str) -> None:
    (found,) = said(ACCOUNT % typed)
    assert "s3cret" not in found
    assert "accounts.service_password" in found


@pytest.mark.parametrize("text", ["", "# nothing", "nodes:", "nodes: []", "\ufeffnodes:\n- name: a"])
def test_nothing_is_a_file_too(text: str) -> None:
    assert said(text) == []


def test_values_are_read_as_they_are_written() -> None:
    """What YAML takes for a float, a truth, an octal number or a country that is a No keeps its digits and letters."""
    document = read(
        b"destinations: [{prefix: 47, country: NO}]\n"
        b"tariffs: [{name: 1e3, currency: USD, connect_fee: 0.10, post_call_surcharge_percent: 2.5}]\n"
        b"accounts: [{login: 0123, customer: on, product: 1_000, expires_at: 2026-01-31T00:00:00-03:00, closed: true}]\n"
    )
    assert document.problems == []
    (destination,), (tariff,), (account,) = document.sections.values()
    assert destination.entry.country == "NO"
    assert (tariff.entry.name, tariff.entry.connect_fee, tariff.entry.post_call_surcharge_percent) == (
        "1e3",
        100_000,
        25_000,
    )
    assert (account.entry.login, account.entry.customer, account.entry.product) == ("0123", "on", "1_000")
    assert account.entry.expires_at.isoformat() == "2026-01-31T03:00:00+00:00"
    assert account.entry.closed is True


def test_a_price_of_six_decimals_keeps_every_digit() -> None:
    rate = RATE.replace("first_price: 0.1", "first_price: 999999.000001")
    document = read((TARIFF % (rate + "}")).encode())
    assert document.sections["tariffs"][0].children["rates"][0].entry.first_price == 999_999_000_001


# Limits ------------------------------------------------------------------------------------------------------------------


def test_a_file_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "FILE_BYTES_MAX", 1024 * 1024)
    assert said(b"#" * (1024 * 1024 + 1)) == ["f.yaml: larger than 1 MiB; split the file"]


def test_aliases_cannot_make_a_small_file_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "NODES_MAX", 1000)
    doubling = ["a: &a0 [x, x]", *[f"b{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 11)]]
    assert said("\n".join(doubling)) == ["f.yaml, line 1: more than 1000 values; write it plainly"]


def test_entries_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "ENTRIES_MAX", 2)
    assert said("nodes: [{name: a}, {name: b}, {name: c}]") == [
        "f.yaml, line 1, nodes: the file has more than 2 entries; split it"
    ]


@given(st.binary(max_size=60) | st.text("{}[]-:#&*!|>'\"%@`, \nab0?~", max_size=60).map(str.encode))
def test_no_text_makes_reading_fail(content: bytes) -> None:
    for problem in read(content).problems:
        assert problem.text


NAMES = st.sampled_from(
    [*document.SECTIONS, *document.SECTIONS["tariffs"].model_fields, "rates", "usage_charges", "absent"]
)
TREES = st.recursive(
    st.none() | st.sampled_from(["true", "a", "1", "0.1", "", "USD"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(st.sampled_from([*document.SECTIONS]), TREES))
def test_no_structure_makes_reading_fail(tree: object) -> None:
    """JSON is YAML: every shape that a section, an entry or a value may have by mistake."""
    for problem in read(json.dumps(tree).encode()).problems:
        assert problem.text
