"""Mean opinion scores over time as a row keeps them, printed and read again."""

from datetime import UTC, datetime, timedelta

from webcb import opinion
from webcb.opinion import Stretch, before_another, latest, print_scores, read_scores

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_what_is_printed_is_read_again() -> None:
    text = print_scores(None, AT, 5, bytes([220, 0, 150, 255]))
    assert text == "[[1795694400000000,5,[440,null,300,510]]]"
    (stretch,) = read_scores(text)
    assert stretch == Stretch(AT, 5, (440, None, 300, 510))
    assert stretch.ends_at == AT + timedelta(seconds=20)


def test_another_engine_adds_a_stretch() -> None:
    first = print_scores(None, AT, 5, bytes([220]))
    both = print_scores(before_another(first), AT + timedelta(minutes=1), 10, bytes([200, 0]))
    assert [each.hundredths for each in read_scores(both)] == [(440,), (400, None)]
    assert print_scores(first, AT, 5, b"") == first  # it has measured nothing yet
    assert print_scores(None, AT, 5, b"") is None


def test_what_is_known_last() -> None:
    assert latest(None) is None
    assert latest(print_scores(None, AT, 5, bytes([220, 210]))) == 420
    assert latest(print_scores(None, AT, 5, bytes([220, 0]))) is None


def test_no_row_grows_without_end() -> None:
    """So many engines after one another, each with a full hour."""
    text = None
    for engine in range(2 * opinion.STRETCHES_MAX):
        text = print_scores(before_another(text), AT + timedelta(hours=engine), 5, bytes([220]) * 720)
        assert text is not None
        assert len(text) <= 40_000  # the limit of the column
    stretches = read_scores(text)
    assert len(stretches) == opinion.STRETCHES_MAX
    assert stretches[-1].begins_at == AT + timedelta(hours=2 * opinion.STRETCHES_MAX - 1)
