"""The keypad of a phone: each key once, however many ways the phone tells of it. Pure.

Some phones send a key as a telephone event and by INFO too, or their network sends tones besides. The bridge knows events from tones;
here the voice is told from the signalling.
"""

from dataclasses import dataclass
from typing import Literal

Way = Literal["voice", "info"]


@dataclass(slots=True)
class Keypad:
    """The way that told the first key of a call is the way of all its keys; what the other tells is the same keys again."""

    way: Way | None = None

    def is_new(self, way: Way) -> bool:
        """Whether a key that came this way is to be taken."""
        if self.way is None:
            self.way = way
        return way == self.way
