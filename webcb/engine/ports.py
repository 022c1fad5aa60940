"""Which port a leg's voice has: that of B is there before A is called, or A might answer a call that has no room for B.

What a callback does when ports are used up is calls.py's.
"""

from collections.abc import Callable

from rtpbridge import Event
from webcb.engine.causes import LegName
from webcb.engine.media import Media, Voice
from webcb.engine.running import Running


def voice_for(media: Media, running: Running, leg: LegName, near: str, tell: Callable[[LegName, Event], None]) -> Voice:
    """The voice that the leg is called with; with A's comes one that waits for B. `near` as in `Media.open_voice`.

    PortsUsedUp: the leg may not be called.
    """
    voice = running.voices.pop(leg, None)
    if voice is None and leg == "B":
        voice, running.reserved = running.reserved, None
    if voice is not None and not media.suits(voice, near):  # the route before, or A's, was of the other family
        media.close_voice(voice)
        voice = None
    if voice is None:
        voice = media.open_voice(lambda event: tell(leg, event), near)
    running.voices[leg] = voice
    if leg == "A":
        reserve(media, running, near, tell)
    return voice


def reserve(media: Media, running: Running, near: str, tell: Callable[[LegName, Event], None]) -> None:
    """Have a voice wait for B, if none does. PortsUsedUp."""
    if running.reserved is None:
        running.reserved = media.open_voice(lambda event: tell("B", event), near)


def let_go(media: Media, running: Running) -> None:
    """Close all that the callback has."""
    voices = [*running.voices.values(), *([running.reserved] if running.reserved is not None else [])]
    running.voices.clear()
    running.reserved = None
    for voice in voices:
        media.close_voice(voice)
