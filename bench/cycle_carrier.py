"""The carrier of the cycle benchmark, a process of its own: `python -m bench.cycle_carrier PORT`. Phones without voice."""

import asyncio
import sys
from dataclasses import replace

from webcb.demo.carrier import serve
from webcb.demo.phones import CALLER, SPEAKS, Voice
from webcb.settings import Bind

TALK_MS = 500
PHONES = (
    replace(CALLER, decides_ms=0, voice=Voice.SILENCE),
    replace(SPEAKS, decides_ms=0, voice=Voice.SILENCE, hangs_up_ms=TALK_MS),
)

if __name__ == "__main__":
    asyncio.run(serve(Bind("127.0.0.1", int(sys.argv[1])), PHONES, ()))
