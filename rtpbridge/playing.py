"""What a port can play: tones, prompts, pauses, digits; and how C is told of them."""

from dataclasses import dataclass
from typing import Any, Final

from rtpbridge._bridge import ffi, lib
from rtpbridge.faults import check

TONE_FREQUENCIES_MAX: Final[int] = lib.TONE_FREQUENCIES_MAX
TONE_CADENCE_MAX: Final[int] = lib.TONE_CADENCE_MAX
TONE_CADENCE_MS_MAX: Final[int] = lib.TONE_CADENCE_MS_MAX
PLAY_ITEMS_MAX: Final[int] = lib.PLAY_ITEMS_MAX
PLAY_MS_MAX: Final[int] = lib.PLAY_MS_MAX
PROMPT_SECONDS_MAX: Final[int] = lib.PROMPT_SECONDS_MAX


@dataclass(frozen=True, slots=True)
class Tone:
    """A call-progress tone: up to 4 sines together, switched on and off by turns in milliseconds, over and over.

    An empty cadence is a tone without a break; `level_dbm0` is that of each sine (ITU-T E.180, Q.35).
    """

    frequencies_hz: tuple[float, ...]
    cadence_ms: tuple[int, ...] = ()
    level_dbm0: float = -13.0


@dataclass(frozen=True, slots=True)
class TimedTone:
    """A tone for so many milliseconds, up to PLAY_MS_MAX."""

    tone: Tone
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing for so many milliseconds."""

    duration_ms: int


@dataclass(frozen=True, slots=True)
class Digit:
    """A key pressed for so many milliseconds, 20 or more: a telephone event where the far side has them, else a tone."""

    digit: str
    duration_ms: int = 100


class Prompt:
    """Samples that any number of ports can play at once: mono, of 16 bits in the host's order, 8 or 16 kHz.

    G.722 is made from the 16 kHz where there are some. Raises ValueError for another clock, for none and for more than
    PROMPT_SECONDS_MAX. Whoever plays it when it is closed plays it to its end.
    """

    def __init__(self, samples: bytes, clock_hz: int = 8_000) -> None:
        opened = ffi.new("struct prompt **")
        octets = ffi.from_buffer("int16_t[]", samples)
        check(lib.prompt_open(opened, octets, len(octets), clock_hz), f"prompt of {len(samples)} octets, {clock_hz} Hz")
        self._prompt: Any = ffi.gc(opened[0], lib.prompt_release)

    def close(self) -> None:
        """Frees the samples once nobody plays them; closing twice is no fault."""
        if self._prompt is not None:
            ffi.release(self._prompt)
            self._prompt = None


def change_rate(samples: bytes, from_hz: int, to_hz: int) -> bytes:
    """Mono samples of 16 bits in the host's order at another rate. ValueError: not 4 to 48 kHz."""
    count = len(samples) // 2 * to_hz // max(1, from_hz)
    changed = ffi.new("int16_t[]", max(1, count))
    octets = ffi.from_buffer("int16_t[]", samples)
    check(
        lib.rate_change(octets, len(octets), from_hz, changed, count, to_hz), f"samples of {from_hz} Hz at {to_hz} Hz"
    )
    return bytes(ffi.buffer(changed, 2 * count))


Playable = Prompt | Tone | TimedTone | Pause | Digit


def _tone_plan(tone: Tone) -> dict[str, object]:
    if len(tone.frequencies_hz) > TONE_FREQUENCIES_MAX or len(tone.cadence_ms) > TONE_CADENCE_MAX:
        raise ValueError(f"{tone}: more than {TONE_FREQUENCIES_MAX} frequencies or {TONE_CADENCE_MAX} turns")
    if any(not 0 < turn_ms <= TONE_CADENCE_MS_MAX for turn_ms in tone.cadence_ms):
        raise ValueError(f"{tone}: a turn of the cadence is 1 to {TONE_CADENCE_MS_MAX} ms")
    return {
        "frequencies_hz": tone.frequencies_hz,
        "frequencies_count": len(tone.frequencies_hz),
        "cadence_ms": tone.cadence_ms,
        "cadence_count": len(tone.cadence_ms),
        "level_dbm0": tone.level_dbm0,
    }


def _duration_ms(item: TimedTone | Pause | Digit) -> int:
    if not 0 < item.duration_ms <= PLAY_MS_MAX:
        raise ValueError(f"{item}: 1 to {PLAY_MS_MAX} ms")
    return item.duration_ms


def describe_item(item: Playable) -> dict[str, object]:
    """A `struct play_item`. ValueError: out of its limits."""
    match item:
        case Prompt():
            if item._prompt is None:
                raise ValueError("the prompt is closed")
            return {"kind": lib.PLAY_PROMPT, "prompt": item._prompt}
        case Tone():
            return {"kind": lib.PLAY_TONE, "tone": _tone_plan(item)}
        case TimedTone():
            return {"kind": lib.PLAY_TONE, "tone": _tone_plan(item.tone), "duration_ms": _duration_ms(item)}
        case Pause():
            return {"kind": lib.PLAY_PAUSE, "duration_ms": _duration_ms(item)}
        case Digit():
            if len(item.digit) != 1 or item.digit not in "0123456789*#ABCD":
                raise ValueError(f"{item}: 0 to 9, *, #, A to D")
            return {"kind": lib.PLAY_DIGIT, "digit": item.digit.encode(), "duration_ms": _duration_ms(item)}
