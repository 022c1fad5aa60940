"""Builds the C of rtpbridge behind its own inner headers, so that the pure functions can be asked with a clock in hand."""

import importlib.util
import re
import subprocess
import sysconfig
from pathlib import Path
from types import ModuleType

from cffi import FFI

from rtpbridge.build import C_FLAGS, C_SOURCES, FOLDER, LIBRARIES

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


def build_pure(folder: Path) -> ModuleType:
    """Compiles into the folder and imports from it; a mistake in arithmetic or memory ends the process."""
    ffi = FFI()
    ffi.cdef(OPAQUE)
    ffi.cdef(ADDRESS)
    for header in HEADERS:
        text = (FOLDER / header).read_text(encoding="utf-8")
        ffi.cdef(re.sub(r"^#(include|pragma|if|error|endif).*$", "", text, flags=re.MULTILINE))
    # address.h draws sockets' headers in, whose types only the compiler needs to know.
    ffi.set_source("_pure", '#include "face.h"\n' + "".join(f'#include "{header}"\n' for header in HEADERS[1:]))
    ffi.emit_c_code(str(folder / "_pure.c"))
    library = folder / "_pure.so"
    subprocess.run(
        ["gcc", *C_FLAGS, "-O1", "-g", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-fPIC", "-shared"]
        + [f"-I{FOLDER}", f"-I{sysconfig.get_path('include')}", str(folder / "_pure.c")]
        + [str(FOLDER / name) for name in C_SOURCES]
        + ["-o", str(library), *(f"-l{name}" for name in LIBRARIES)],
        check=True,
    )
    spec = importlib.util.spec_from_file_location("_pure", library)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
