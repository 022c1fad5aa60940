"""Builds the C of rtpbridge behind its own inner headers, so that the pure functions can be asked with a clock in hand."""

import importlib.util
import re
import subprocess
import sysconfig
from pathlib import Path
from types import ModuleType

from cffi import FFI

from rtpbridge.build import C_FLAGS, FOLDER, LIBRARIES
from tests.rtpbridge.building import compile_all, objects_in

LIBRARY = "_pure.so"
HEADERS = (
    "api.h",
    "rtp.h",
    "rtcp.h",
    "latch.h",
    "tone.h",
    "g711.h",
    "transform.h",
    "srtp.h",
    "g722.h",
    "resample.h",
    "voice.h",
    "packet.h",
    "framer.h",
    "dtmf.h",
    "inband.h",
    "quality.h",
)
# Types of other people's headers: only the compiler needs to know what is in them.
OPAQUE = """
typedef ... EVP_CIPHER_CTX;
typedef ... EVP_MD_CTX;
"""
ADDRESS = """
union address { ...; };
int address_read(union address *address, const char *host, uint16_t port);
bool address_equal(const union address *a, const union address *b);
bool address_same_host(const union address *a, const union address *b);
bool address_same_network(const union address *a, const union address *b);
"""


def compile_pure(folder: Path) -> None:
    """Into the folder; a mistake in arithmetic or memory ends whoever runs it."""
    ffi = FFI()
    ffi.cdef(OPAQUE)
    ffi.cdef(ADDRESS)
    for header in HEADERS:
        text = (FOLDER / header).read_text(encoding="utf-8")
        ffi.cdef(re.sub(r"^#(include|pragma|if|error|endif).*$", "", text, flags=re.MULTILINE))
    # address.h draws sockets' headers in, whose types only the compiler needs to know.
    ffi.set_source("_pure", '#include "face.h"\n' + "".join(f'#include "{header}"\n' for header in HEADERS[1:]))
    ffi.emit_c_code(str(folder / "_pure.c"))
    flags = ["gcc", *C_FLAGS, "-O1", "-g", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-fPIC"]
    compile_all(flags, folder)
    subprocess.run(
        [
            *(*flags, "-shared", f"-I{FOLDER}", f"-I{sysconfig.get_path('include')}", str(folder / "_pure.c")),
            *(*objects_in(folder), "-o", str(folder / LIBRARY), *(f"-l{name}" for name in LIBRARIES)),
        ],
        check=True,
    )


def import_pure(folder: Path) -> ModuleType:
    """What was compiled there."""
    spec = importlib.util.spec_from_file_location("_pure", folder / LIBRARY)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
