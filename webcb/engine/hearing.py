"""What is read from the ports of legs: how well they are heard as they talk, and what their voice was worth at the end."""

import logging
from collections.abc import Iterable
from typing import Final

from rtpbridge import Scores
from webcb.engine.causes import LegName
from webcb.engine.figures import Figures, figures
from webcb.engine.leg import SECOND_US, Leg
from webcb.engine.media import Voice
from webcb.engine.running import Running
from webcb.engine.state import Phase
from webcb.opinion import print_scores

log = logging.getLogger(__name__)

HEARD_SECONDS: Final = 10  # between two notes of a callback; pages show what was noted last

Heard = tuple[str, str, LegName]  # scores, callback, leg


def measured(running: Running) -> dict[LegName, Figures]:
    """Of the legs that have a voice still, and had it with somebody."""
    try:
        return {
            name: figures(voice.port.counters(), leg.codecs, _printed(running, name, voice.port.scores()))
            for name, voice, leg in _answered(running)
        }
    except (OSError, ValueError) as wrong:  # no bill waits for these
        log.warning("callback %s: its voice cannot be measured: %s", running.id, wrong)
        return {}


def due(runnings: Iterable[Running], now_us: int) -> list[Heard]:
    """The scores of those who talk and of whom it is to be noted again; to be asked about every second."""
    talking = [each for each in runnings if each.callback.phase is Phase.TALKING and each.heard_next_us <= now_us]
    noted = [(each, so_far(each)) for each in talking]
    for each, found in noted:
        if len(found) == len(each.voices):  # else at the next look: the first five seconds of a leg are not over
            each.heard_next_us = now_us + HEARD_SECONDS * SECOND_US
    return [one for _, found in noted for one in found]


def so_far(running: Running) -> list[Heard]:
    """The scores of its legs up to now, as their rows keep them."""
    try:
        found = [(name, _printed(running, name, voice.port.scores())) for name, voice, _ in _answered(running)]
    except (OSError, ValueError) as wrong:
        log.warning("callback %s: its voice cannot be measured: %s", running.id, wrong)
        return []
    return [(text, running.id, name) for name, text in found if text is not None]


def _answered(running: Running) -> list[tuple[LegName, Voice, Leg]]:
    legs = [(name, voice, running.callback.leg(name)) for name, voice in running.voices.items()]
    return [each for each in legs if each[2].answered_us is not None]


def _printed(running: Running, leg: LegName, scores: Scores) -> str | None:
    begins_at = running.callback.plan.instant(scores.begun_ns // 1000)
    return print_scores(running.heard.get(leg), begins_at, scores.window_ms // 1000, scores.fiftieths)
