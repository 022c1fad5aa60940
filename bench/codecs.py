"""What the bridge does to a packet besides sending it on, in nanoseconds of CPU, beside libsrtp2 and spandsp as Debian has them.

Packets are frames of 20 ms (160 octets of payload). SRTP: 1,000 streams take turns, so that no context is in the cache.
"""

import subprocess
import tempfile
from pathlib import Path

from bench.table import Beside
from rtpbridge.build import C_FLAGS, C_SOURCES, FOLDER, LIBRARIES

BOUNDS_NS = {
    "seal": 1_000,
    "open": 1_000,
    "PCMU to PCMA": 100,
    "PCMA to PCMU": 100,
    "PCMU to G.722": 20_000,
    "G.722 to PCMU": 20_000,
}


def bound_ns(name: str) -> int | None:
    """What a packet may take; None: of no matter here."""
    return next((bound for end, bound in BOUNDS_NS.items() if name.endswith(end)), None)


def run() -> dict[str, dict[str, float]]:
    """Measures in half a minute, prints the table and returns it; figures are medians of 7 rounds."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "codecs"
        subprocess.run(
            ["gcc", *C_FLAGS, f"-I{FOLDER}", str(Path(__file__).with_name("codecs.c"))]
            + [str(FOLDER / name) for name in C_SOURCES]
            + ["-o", str(program), *(f"-l{name}" for name in LIBRARIES), "-ldl"],
            check=True,
        )
        printed = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    figures: dict[str, dict[str, float]] = {}
    print(f"{'a packet of 20 ms':40}{'ns':>10}{'bound':>10}{'theirs':>10}{'faster':>9}")
    for line in printed.splitlines():
        name, ours, theirs = line.split("|")
        ours_ns, theirs_ns = float(ours), float(theirs)
        bound = bound_ns(name)
        figures[name] = {"ns": ours_ns, **({"peer_ns": theirs_ns} if theirs_ns else {})}
        peer = f"{theirs_ns:10,.0f}{theirs_ns / ours_ns:8.1f}x" if theirs_ns else ""
        print(f"{name:40}{ours_ns:10,.0f}{bound or '':>10}{peer}")
    return figures


def beside(figures: dict[str, dict[str, float]]) -> list[Beside]:
    """Beside the library that Debian has for it, or beside its bound."""
    rows = []
    for name, each in figures.items():
        if "peer_ns" in each:
            peer = "libsrtp2" if "SRTP" in name or "seal" in name or "open" in name else "spandsp"
            rows.append(Beside(name, each["ns"], "ns a packet", peer, each["peer_ns"]))
        if bound := bound_ns(name):
            rows.append(Beside(name, each["ns"], "ns a packet", "its bound", bound, aim=1.0))
    return rows


if __name__ == "__main__":
    run()
