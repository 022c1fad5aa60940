"""The stream of events in virtual time, and how many may follow at once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from webcb.web import follow


@dataclass(frozen=True)
class Look:
    text: str
    is_ended: bool = False


def run(looks: list[Look]) -> tuple[list[str], list[float]]:
    """What a stream says when it sees these looks one after the other, and how it waited; the last look stays."""
    waits: list[float] = []

    def look() -> Look:
        return looks[min(len(waits), len(looks) - 1)]

    said = list(follow.stream(look, lambda seen: seen.text, waits.append))
    return said, waits


def texts(said: list[str]) -> list[str]:
    return [json.loads(event.removeprefix("data: ")) for event in said if event.startswith("data: ")]


def test_each_change_is_said_once_and_the_end_ends_the_stream() -> None:
    said, waits = run([Look("ringing"), Look("ringing"), Look("talking"), Look("ended", is_ended=True)])
    assert said[0] == f"retry: {follow.RECONNECT_MS}\n\n"
    assert texts(said) == ["ringing", "talking", "ended"]
    assert waits == [follow.POLL_SECONDS] * 3


def test_what_has_ended_already_is_said_without_waiting() -> None:
    said, waits = run([Look("ended", is_ended=True)])
    assert (texts(said), waits) == (["ended"], [])


def test_a_stream_grows_no_older_than_its_limit() -> None:
    said, waits = run([Look("talking")])
    assert texts(said) == ["talking"]
    assert sum(waits) == pytest.approx(follow.STREAM_SECONDS_MAX, abs=follow.POLL_SECONDS)


def test_an_event_is_one_line_whatever_it_says() -> None:
    said, _ = run([Look("two\nlines\r\n\n", is_ended=True)])
    assert said[1].count("\n") == 2
    assert texts(said) == ["two\nlines\r\n\n"]


def test_a_reader_who_leaves_stops_the_looking() -> None:
    looked: list[int] = []

    def look() -> Look:
        looked.append(1)
        return Look("ringing")

    events: Iterator[str] = follow.stream(look, lambda seen: seen.text, lambda _: None)
    next(events)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert len(looked) == 1


def test_no_more_follow_than_there_are_places() -> None:
    viewers = follow.Viewers(2)
    assert [viewers.enter(), viewers.enter(), viewers.enter()] == [True, True, False]
    viewers.leave()
    assert viewers.enter()


@pytest.mark.parametrize(("threads", "places"), [(2, 1), (3, 2), (4, 3), (8, 6), (32, 24), (512, 384)])
def test_a_worker_keeps_threads_free_of_streams(threads: int, places: int) -> None:
    assert follow.viewers_max(threads) == places
