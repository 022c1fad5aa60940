"""Synthesis: the texts of a language spoken once, by eSpeak NG, into files. A program of its own (`python -m webcb.prompts.synthesis`).

The library and its voices come with the wheel espeakng-loader; where that has none for a machine, the system's libespeak-ng is
taken. It keeps its state in globals and may end the process that uses it, so it is nobody's but this program's.
"""

import ctypes
import ctypes.util
import sys
from array import array
from pathlib import Path
from typing import Any, Final

from rtpbridge import change_rate
from webcb.prompts import catalogue, library

_RETRIEVAL: Final = 1  # AUDIO_OUTPUT_RETRIEVAL of <espeak-ng/speak_lib.h>: samples come to a callback
_DONT_EXIT: Final = 0x8000
_UTF8: Final = 1
_RATE: Final = 1  # espeakRATE, in words a minute
_WORDS_A_MINUTE: Final = 155  # a little slower than usual: it is heard over telephones
_SILENCE: Final = 48  # of a sample; what is quieter at either end of a prompt is cut off
_MARGIN_SAMPLES: Final = library.CLOCK_HZ // 100
_LOUDEST: Final = 0.6  # of full scale, for the loudest sample of a prompt: about -16 dBm0 of speech
CANNOT_SPEAK: Final = 2

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class SynthesisProblem(Exception):
    """There is no voice; the message says why and what would help."""


class Speaker:
    """eSpeak NG with one voice. One to a process."""

    def __init__(self, voice: str) -> None:
        self._heard = bytearray()
        path, where = _library()
        self._espeak = ctypes.CDLL(path)
        self._clock_hz: int = self._espeak.espeak_Initialize(_RETRIEVAL, 0, where, _DONT_EXIT)
        if self._clock_hz <= 0:
            raise SynthesisProblem(f"eSpeak NG at {path} does not start; install the package espeakng-loader again")
        self._callback = _Callback(self._hear)
        self._espeak.espeak_SetSynthCallback(self._callback)
        if self._espeak.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SynthesisProblem(f"eSpeak NG at {path} has no voice {voice}")
        self._espeak.espeak_SetParameter(_RATE, _WORDS_A_MINUTE, 0)

    def _hear(self, samples: Any, count: int, _: Any) -> int:
        if samples and count > 0:
            self._heard += ctypes.string_at(samples, 2 * count)
        return 0

    def speak(self, text: str) -> bytes:
        """Samples of 16 bits at library.CLOCK_HZ, silence at their ends cut off."""
        self._heard.clear()
        written = text.encode() + b"\0"
        self._espeak.espeak_Synth(written, ctypes.c_size_t(len(written)), 0, 1, 0, _UTF8, None, None)
        self._espeak.espeak_Synchronize()
        return _levelled(change_rate(bytes(self._heard), self._clock_hz, library.CLOCK_HZ))


def _library() -> tuple[str, bytes | None]:
    """The library, and the folder of its voices where it does not know it."""
    try:
        import espeakng_loader
    except ImportError:
        found = ctypes.util.find_library("espeak-ng")
        if found is None:
            raise SynthesisProblem("there is no eSpeak NG; install the package espeakng-loader") from None
        return found, None
    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path().encode()


def _levelled(samples: bytes) -> bytes:
    """Without the silence at its ends, and as loud as all others."""
    numbers = array("h", samples)
    loudest = max(max(numbers, default=0), -min(numbers, default=0))
    if loudest <= _SILENCE:
        return b""
    first = next(place for place, number in enumerate(numbers) if abs(number) > _SILENCE)
    after = next(place for place, number in enumerate(reversed(numbers)) if abs(number) > _SILENCE)
    kept = numbers[max(0, first - _MARGIN_SAMPLES) : len(numbers) - max(0, after - _MARGIN_SAMPLES)]
    louder = _LOUDEST * 32767 / loudest
    return array("h", [int(number * louder) for number in kept]).tobytes()


def main(arguments: list[str]) -> int:
    """Speak one language into a folder: `LANGUAGE FOLDER`. What cannot be spoken is said and leaves no file."""
    language, folder = arguments[0], Path(arguments[1])
    texts = catalogue.texts(language)
    try:
        speaker = Speaker(texts.voice)
    except (SynthesisProblem, OSError) as wrong:
        print(wrong, file=sys.stderr)
        return CANNOT_SPEAK
    for name, text in texts.by_name.items():
        samples = speaker.speak(text)
        if samples:
            library.write(folder / f"{name}.wav", samples)
        else:
            print(f"{language}/{name}: the voice says nothing of {text!r}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
