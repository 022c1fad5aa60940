"""What the voice of a leg was worth, at its end: the figures that its row keeps, in whole numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rtpbridge import Counters
from webcb.engine.codecs import VOICES

US_OF_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Figures:
    """Packets from and to the leg, those of its own that were lost, mean opinion score in thousandths (None: the codec has none).

    `one_way`: for 5 s nothing was heard of it while the other spoke. `scores`: over time, see opinion.py.
    """

    codec: str
    received_packets: int
    sent_packets: int
    lost_packets: int
    jitter_us: int
    score_milli: int | None
    one_way: bool
    scores: str | None


def figures(port: Counters, codecs: Sequence[str], scores: str | None) -> Figures:
    """Those of a port whose leg has agreed on these codecs; the first of its voices is what it speaks."""
    return Figures(
        next((name for name in codecs if name in VOICES), ""),
        port.received_packets,
        port.sent_packets,
        max(0, port.lost_packets),
        round(port.jitter_ms * US_OF_MS),
        round(port.score_mean * 1000) or None,
        port.was_one_way,
        scores,
    )
