"""For how long the name servers' answers are believed, in seconds that only pass when told."""

from webcb.sip import answers
from webcb.sip.answers import Answers
from webcb.sip.location import Question

A = Question("sbc.example", "A")
LITERALS = ["192.0.2.1"]


def test_an_answer_is_believed_for_its_ttl_within_bounds() -> None:
    for ttl_seconds, believed_seconds in ((60, 60), (0, answers.TTL_SECONDS_MIN), (10**9, answers.TTL_SECONDS_MAX)):
        known = Answers()
        known.take(A, LITERALS, ttl_seconds, at=100)
        assert known.find(A, 100 + believed_seconds - 0.1) == (LITERALS,)
        assert known.find(A, 100 + believed_seconds) is None


def test_that_there_is_nothing_is_believed_for_minutes_at_most() -> None:
    known = Answers()
    known.take(A, (), 86_400, at=0)
    assert known.find(A, answers.NOTHING_SECONDS_MAX - 1) == ((),)
    assert known.find(A, answers.NOTHING_SECONDS_MAX) is None


def test_silence_leaves_the_last_answer_in_use_for_an_hour() -> None:
    known = Answers()
    assert known.take_silence(A, 0) is None
    assert known.find(A, 1) == (None,)
    known.take(A, LITERALS, 60, at=10)
    assert known.take_silence(A, 71) == LITERALS
    assert known.find(A, 71 + answers.SILENCE_SECONDS - 1) == (LITERALS,)
    assert known.find(A, 71 + answers.SILENCE_SECONDS) is None
    assert known.stale(A, 80) == LITERALS
    end = 70 + answers.STALE_SECONDS_MAX
    assert known.take_silence(A, end - 1) == LITERALS  # does not make it live longer
    assert known.take_silence(A, end + answers.SILENCE_SECONDS) is None


def test_the_oldest_is_forgotten_where_there_are_too_many() -> None:
    known = Answers()
    questions = [Question(f"h{each}.example", "A") for each in range(answers.ANSWERS_MAX + 1)]
    for question in questions:
        known.take(question, LITERALS, 60, at=0)
    assert known.find(questions[0], 1) is None
    assert all(known.find(question, 1) for question in questions[1:])
