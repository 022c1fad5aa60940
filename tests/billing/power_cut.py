"""A power cut in the middle of writing: what a program did to its files, recorded by strace, and the disk as it may be found.

A disk keeps what was synced; of what was written since, nothing, all, or any part. `images` gives the files as they may stand after
the power was cut between any two system calls, with the marks the program had printed by then.
"""

import ast
import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM_CALLS = "openat,close,pwrite64,fdatasync,fsync,ftruncate,unlink,write"
STRING_MAX = 1_000_000

_CALL = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)\) += (-?\d+)")
_TEXT = re.compile(r'^(?:AT_FDCWD|\d+(?:<[^>]*>)?), ("(?:[^"\\]|\\.)*")')


@dataclass
class Disk:
    """Files by name: what is safe, and the writes that are not yet, in order: (offset, octets), or a new length."""

    safe: dict[str, bytes] = field(default_factory=dict)
    pending: dict[str, list[tuple[int, bytes | None]]] = field(default_factory=dict)
    marks: list[str] = field(default_factory=list)

    def sync(self, name: str) -> None:
        self.safe[name] = applied(self.safe.get(name, b""), self.pending.pop(name, []))


def applied(content: bytes, writes: list[tuple[int, bytes | None]]) -> bytes:
    """A file after some writes."""
    found = bytearray(content)
    for offset, octets in writes:
        if octets is None:
            del found[offset:]
            found.extend(bytes(offset - len(found)))
        else:
            found.extend(bytes(max(0, offset - len(found))))
            found[offset : offset + len(octets)] = octets
    return bytes(found)


def record(command: list[str], log: Path) -> list[str]:
    """Run a program under strace; its file calls, a line each."""
    trace = [
        "strace",
        "-f",
        "-xx",
        "-s",
        str(STRING_MAX),
        "-e",
        f"trace={SYSTEM_CALLS}",
        "-e",
        "signal=none",
        "-o",
        str(log),
    ]
    subprocess.run([*trace, *command], check=True, stdout=subprocess.DEVNULL, timeout=60)
    return log.read_text().splitlines()


def images(
    lines: list[str], folder: Path, name: str, before: bytes, chance: random.Random, *beside: str
) -> Iterator[tuple[dict[str, bytes], list[str]]]:
    """The database file, its -wal and the files `beside` as they may be found after each call, and the marks printed before it.

    `before` is the file as it stood when the program began. Files beside are only written at their ends.
    """
    wanted = {str(folder / each): each for each in (name, f"{name}-wal", *beside)}
    disk = Disk({name: before})
    opened: dict[int, str] = {}
    for line in lines:
        call = _CALL.match(line)
        if call is None or int(call[3]) < 0:
            continue
        system_call, arguments, result = call[1], call[2], int(call[3])
        first = arguments.partition(",")[0].strip()
        if system_call == "openat":
            text = _TEXT.match(arguments)
            path = ast.literal_eval(f"b{text[1]}").decode() if text else ""
            opened[result] = wanted.get(path, "")
            continue
        if system_call == "unlink":
            gone = wanted.get(ast.literal_eval(f"b{first}").decode(), "")
            disk.safe.pop(gone, None)
            disk.pending.pop(gone, None)
            continue
        if system_call == "write" and first == "1":
            disk.marks += ast.literal_eval("b" + arguments.split(", ")[1]).decode().split()
            continue
        file = opened.get(int(first), "") if first.isdigit() else ""
        if not file:
            continue
        if system_call == "pwrite64":
            _, octets, _, offset = arguments.split(", ")
            disk.pending.setdefault(file, []).append((int(offset), ast.literal_eval("b" + octets)))
        elif system_call == "write":
            end = len(applied(disk.safe.get(file, b""), disk.pending.get(file, [])))
            disk.pending.setdefault(file, []).append((end, ast.literal_eval("b" + arguments.split(", ")[1])))
        elif system_call == "ftruncate":
            disk.pending.setdefault(file, []).append((int(arguments.split(", ")[1]), None))
        elif system_call in ("fdatasync", "fsync"):
            disk.sync(file)
        elif system_call == "close":
            opened.pop(int(first), None)
            continue
        for kept in _kept(disk, chance):
            yield kept, list(disk.marks)
    for kept in _kept(disk, chance):
        yield kept, list(disk.marks)


def _kept(disk: Disk, chance: random.Random) -> Iterator[dict[str, bytes]]:
    """What of the writes that were not synced has reached the disk: nothing, all, any of them, the last one in part."""
    names = {*disk.safe, *disk.pending}
    choices = [lambda _: [], list, lambda writes: [each for each in writes if chance.random() < 0.5], _torn]
    for choose in choices if any(disk.pending.values()) else choices[:1]:
        yield {name: applied(disk.safe.get(name, b""), choose(disk.pending.get(name, []))) for name in names}


def _torn(writes: list[tuple[int, bytes | None]]) -> list[tuple[int, bytes | None]]:
    if not writes or writes[-1][1] is None:
        return writes
    offset, octets = writes[-1]
    return [*writes[:-1], (offset, (octets or b"")[: len(octets or b"") // 2])]
