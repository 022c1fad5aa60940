"""A world in which what the phones hear is written down, in virtual time: each prompt takes a second, tones and talk go on.

What is heard stands in `heard`, a line for each change: "4.0 A: welcome enter-pin", "12.0 A and B talk". Silence and its end are told
by the tests instead of the bridge.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rtpbridge import Event, EventKind
from tests.engine.world import Alarm, World
from webcb.engine.media import Media, Voice

PROMPT_SECONDS = 1.0


@dataclass
class Ears:
    """What is being said on each port, and when it ends."""

    world: "HearingWorld"
    says: dict[int, Alarm] = field(default_factory=dict)

    def note(self, what: str) -> None:
        self.world.heard.append(f"{self.world.time.now - self.world.begun_at:.1f} {what}")


class HeardMedia(Media):
    """The real media, whose sounds are written down, and whose prompts end in virtual time."""

    ears: Ears

    def _end_saying(self, voice: Voice) -> None:
        alarm = self.ears.says.pop(voice.port.id, None)
        if alarm is not None:
            alarm.cancel()

    def play_ringback(self, voice: Voice, country: str) -> None:
        self._end_saying(voice)
        super().play_ringback(voice, country)
        self.ears.note(f"A: ringback {country}")

    def say(self, voice: Voice, folder: str, language: str, names: Sequence[str], *, barge_in: bool) -> bool:
        self._end_saying(voice)
        self.ears.note(f"A: {' '.join(names)}")
        time = self.ears.world.life  # what an engine says ends with it
        self.ears.says[voice.port.id] = time.call_at(time.now + PROMPT_SECONDS * len(names), self._said, voice)
        return True

    def _said(self, voice: Voice) -> None:
        self.ears.says.pop(voice.port.id, None)
        self._watchers[voice.port.id](Event(voice.port.id, EventKind.PLAYED, 0))

    def hush(self, voice: Voice) -> None:
        self._end_saying(voice)
        super().hush(voice)

    def warn(self, a: Voice, b: Voice, folder: str, language: str, names: Sequence[str]) -> None:
        super().warn(a, b, folder, language, names)
        self.ears.note(f"A: beep {' '.join(names)}; B: beep")

    def join(self, a: Voice, b: Voice) -> None:
        self._end_saying(a)
        super().join(a, b)
        self.ears.note("A and B hear each other")

    def split(self, a: Voice, b: Voice) -> None:
        super().split(a, b)
        self.ears.note("A and B are apart")

    def close_voice(self, voice: Voice) -> None:
        self._end_saying(voice)
        super().close_voice(voice)

    def tell(self, voice: Voice, kind: EventKind) -> None:
        """What the bridge would tell of a leg."""
        self._watchers[voice.port.id](Event(voice.port.id, kind, 0))


class HearingWorld(World):
    """A world with ears."""

    media: HeardMedia

    def __init__(self, **house: Any) -> None:
        self.heard: list[str] = []
        super().__init__(**house)

    def make_media(self, entropy: Callable[[int], bytes]) -> Media:
        media = HeardMedia(self.bridge, {"127.0.0.1": "127.0.0.1"}, entropy)
        media.ears = Ears(self)
        return media
