"""Compiles kernel.bpf.c with clang and writes its instructions into kernel_program.h: `python -m rtpbridge.build_program`.

The header is kept in the tree, so that an installation needs no clang; a test holds the two together. Never used at run time.
"""

import re
import struct
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SOURCE, HEADER = FOLDER / "kernel.bpf.c", FOLDER / "kernel_program.h"
SECTION = "tcx/ingress"
# v3 of the instruction set: atomic exchange. No debugging information: only instructions go into the header.
FLAGS = (
    "-std=gnu11",
    "-O2",
    "-ffreestanding",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wshadow",
    "-target",
    "bpfel",
    "-mcpu=v3",
)
WORDS_IN_LINE = 5
TEMPLATE = """\
#pragma once
/* Written by build_program.py out of kernel.bpf.c with clang {version}: struct bpf_insn as words of a little-endian host. */

#include <stdint.h>

static const uint64_t KERNEL_PROGRAM[] = {{
{words}
}};
/* Which of them take the address of the map. */
static const uint16_t KERNEL_PROGRAM_MAPS[] = {{{maps}}};
"""


@dataclass(frozen=True)
class Program:
    """Instructions as 64-bit words, the places that want the map's descriptor, and the clang they came from."""

    words: tuple[int, ...]
    maps: tuple[int, ...]
    clang_version: int

    def header(self) -> str:
        """The text of kernel_program.h."""
        lines = [self.words[at : at + WORDS_IN_LINE] for at in range(0, len(self.words), WORDS_IN_LINE)]
        words = "\n".join("    " + " ".join(f"0x{word:016x}," for word in line) for line in lines)
        return TEMPLATE.format(version=self.clang_version, words=words, maps=", ".join(map(str, self.maps)))


def read_header(text: str) -> Program:
    """The program that a header holds."""
    words, maps = re.findall(r"\[\] = \{([^}]*)\}", text)
    return Program(
        tuple(int(word, 16) for word in re.findall(r"0x[0-9a-f]{16}", words)),
        tuple(int(place) for place in re.findall(r"\d+", maps)),
        _version_in(text),
    )


def _version_in(text: str) -> int:
    (version,) = re.findall(r"clang (?:version )?(\d+)", text)
    return int(version)


def compile_program(clang: str = "clang") -> Program:
    """What clang makes of kernel.bpf.c. CalledProcessError: it does not compile."""
    told = subprocess.run([clang, "--version"], check=True, capture_output=True, text=True).stdout  # noqa: S603
    headers = Path("/usr/include") / str(sysconfig.get_config_var("MULTIARCH"))
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "kernel.o"
        subprocess.run(  # noqa: S603
            [clang, *FLAGS, f"-I{headers}", "-c", str(SOURCE), "-o", str(built)], check=True
        )
        words, maps = _read_object(built.read_bytes())
    return Program(words, maps, _version_in(told))


def _read_object(elf: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The one section of code of an ELF64 file and where it is relocated; every relocation is of the map."""
    (sections_at,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", elf, sections_at + size * index) for index in range(count)]
    names_at = sections[names][4]
    found = {}
    for name, _kind, _flags, _address, at, length in sections:
        start = names_at + name
        found[elf[start : elf.index(b"\0", start)].decode()] = elf[at : at + length]
    code, relocations = found[SECTION], found[f".rel{SECTION}"]
    words = struct.unpack(f"<{len(code) // 8}Q", code)
    maps = tuple(offset // 8 for offset, _info in struct.iter_unpack("<QQ", relocations))
    if any(name.startswith((".data", ".bss", ".rodata")) and text for name, text in found.items()):
        raise ValueError(f"{SOURCE.name} has variables, for which the loader has no map")
    return words, maps


if __name__ == "__main__":
    HEADER.write_text(compile_program(*sys.argv[1:]).header(), encoding="utf-8")
