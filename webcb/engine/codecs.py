"""Which codecs this engine carries, and what a leg may be offered so that the two can hear each other. Pure: names only.

Numbers and clocks are media.py's; packets are the bridge's, which recodes between some of them.
"""

from collections.abc import Iterable, Sequence
from typing import Final

DIGITS: Final = "telephone-event"  # RFC 4733; offered beside every voice codec
VOICES: Final = ("PCMU", "PCMA", "G722", "opus")
RECODED: Final = frozenset({"PCMU", "PCMA", "G722"})  # each of these into each other of these
G711: Final = frozenset({"PCMU", "PCMA"})  # what every phone has, and costs nothing to recode

_SPELLED: Final = {name.lower(): name for name in VOICES}


def offered_codecs(carried: Iterable[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """What a leg is offered over a connection that carries `carried`, where `wanted` are what the other leg has or may get.

    First what needs no recoding, in the order wanted; then the laws of G.711 where these can be recoded; other codecs are
    recoded only where nothing else is left. Digits go along where wanted. Empty where no voice would come of it.
    """
    own = [name for each in carried if (name := _SPELLED.get(each.lower()))]
    asked = [_SPELLED.get(each.lower(), each) for each in wanted]
    voices = [name for name in asked if name in own]
    if RECODED.intersection(asked):
        voices += [name for name in own if name in G711] or [name for name in own if not voices and name in RECODED]
    once = tuple(dict.fromkeys(voices))
    return (*once, DIGITS) if once and DIGITS in asked else once


def shared_codecs(own: Sequence[str], other: Sequence[str], carried: Iterable[str]) -> tuple[str, ...]:
    """What a leg that has agreed to `own` is offered anew, so that the voice of both passes as it is; empty: nothing to be gained.

    `other` is what the other leg has agreed to, `carried` what this one's connection carries. Where both understand what the
    other speaks first, nothing is recoded as it is. Digits go along where the leg had them.
    """
    ours, theirs = _voices(own), _voices(other)
    if not ours or not theirs or (ours[0] in theirs and theirs[0] in ours):
        return ()
    spelled = {_SPELLED.get(each.lower()) for each in carried}
    if theirs[0] not in spelled:
        return ()
    return (*(name for name in theirs if name in spelled), *([DIGITS] if DIGITS in own else []))


def _voices(names: Sequence[str]) -> list[str]:
    return [name for name in names if name in VOICES]


def askable_codecs(codecs: Sequence[str]) -> tuple[str, ...]:
    """Of what A has answered, what B may be offered: first what can be understood of A's first, then what A has besides.

    Where B takes one of these, A is asked for it by a re-INVITE (`shared_codecs`): it has said that it has it.
    """
    return tuple(dict.fromkeys((*heard_codecs(codecs), *codecs)))


def spoken_codecs(codecs: Sequence[str]) -> tuple[str, ...]:
    """Those in which something can be said to a leg; all where there are none."""
    return tuple(name for name in codecs if _SPELLED.get(name.lower()) in RECODED) or tuple(codecs)


def heard_codecs(codecs: Sequence[str]) -> tuple[str, ...]:
    """Of what a leg has answered, what the other may be offered: what can be understood of its first, which it will send.

    A leg that answered Opus and PCMU will speak Opus: to a leg with PCMU alone it could not be heard.
    """
    first = next((name for name in codecs if name in VOICES), "")
    return tuple(name for name in codecs if name in (first, DIGITS) or {first, name} <= RECODED)
