"""Builds `rtpbridge._bridge`, the C of this folder behind api.h, with cffi in API mode. Imported by setup.py and by
the tests that compile the same files with sanitizers; never at run time."""

from pathlib import Path

from cffi import FFI

FOLDER = Path(__file__).resolve().parent
C_SOURCES = (
    "address.c",
    "batch.c",
    "bridge.c",
    "control.c",
    "dtmf.c",
    "epoll.c",
    "filter.c",
    "flow.c",
    "framer.c",
    "g711.c",
    "g722.c",
    "hear.c",
    "inband.c",
    "kernel.c",
    "kernel_control.c",
    "latch.c",
    "pace.c",
    "pins.c",
    "play.c",
    "port.c",
    "prompt.c",
    "quality.c",
    "rate.c",
    "recode.c",
    "relay.c",
    "resample.c",
    "ring.c",
    "route.c",
    "rtcp.c",
    "rtp.c",
    "secure.c",
    "srtp.c",
    "tone.c",
    "transform.c",
    "uring.c",
    "voice.c",
)
C_FLAGS = ("-std=gnu11", "-D_GNU_SOURCE", "-O2", "-pthread")
# For our own files, in the tests: what cffi writes is not held to them, and a later compiler's new warning must not
# keep anybody from installing.
C_WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion")
LIBRARIES = ("crypto", "m")

ffibuilder = FFI()
ffibuilder.cdef((FOLDER / "api.h").read_text(encoding="utf-8"))
ffibuilder.set_source(
    "rtpbridge._bridge",
    '#include "face.h"',
    sources=[f"rtpbridge/{name}" for name in C_SOURCES],  # as seen from setup.py
    include_dirs=[str(FOLDER)],
    depends=[str(header) for header in sorted(FOLDER.glob("*.h"))],
    extra_compile_args=[*C_FLAGS, "-Wall"],
    extra_link_args=["-pthread"],
    libraries=list(LIBRARIES),
)
