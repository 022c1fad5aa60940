"""The carrier of the cycle benchmark, a process of its own: `python -m bench.cycle_carrier PORT [TALK_MS]`. Phones without voice."""

import asyncio
import sys
from dataclasses import replace

from webcb.demo.carrier import serve
from webcb.demo.phones import CALLER, ECHOES, SPEAKS, Phone, Voice
from webcb.settings import Bind

TALK_MS = 500
STAYS = replace(ECHOES, decides_ms=0, voice=Voice.SILENCE)


def phones(talk_ms: int) -> tuple[Phone, ...]:
    """One that is called, one that hangs up after so long, and one that never does."""
    return (
        replace(CALLER, decides_ms=0, voice=Voice.SILENCE),
        replace(SPEAKS, decides_ms=0, voice=Voice.SILENCE, hangs_up_ms=talk_ms),
        STAYS,
    )


if __name__ == "__main__":
    talk_ms = int(sys.argv[2]) if len(sys.argv) > 2 else TALK_MS
    asyncio.run(serve(Bind("127.0.0.1", int(sys.argv[1])), phones(talk_ms), ()))
