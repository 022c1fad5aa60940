"""What Python sees of the kernel path: the flows that the kernel forwards, and whether it may.

`Bridge` is what they belong to; here is only how they are read.
"""

from dataclasses import dataclass
from typing import Any, Final

from rtpbridge._bridge import ffi, lib

NEVER_NS: Final = 2**63 - 1  # CLOCK_MONOTONIC does not come so far
ENTRIES_READ: Final = 1024


@dataclass(frozen=True, slots=True)
class KernelFlow:
    """What the kernel forwards from the far side of one RTP port to that of another.

    `held`: an open port of this bridge has it; else an earlier process left it. `deadline_ns` is None for a join without one,
    and a moment of CLOCK_MONOTONIC as `last_ns`, when the newest packet came; `packets` went through so far.
    """

    rtp_port: int
    peer_rtp_port: int
    held: bool
    deadline_ns: int | None
    packets: int
    last_ns: int


def flows_of(bridge: Any) -> list[KernelFlow]:
    """All that the kernel forwards for the bridge of this C handle, by RTP port."""
    entries = ffi.new("struct kernel_entry[]", ENTRIES_READ)
    flows: list[KernelFlow] = []
    while True:
        after = flows[-1].rtp_port if flows else 0
        count = lib.bridge_kernel_entries(bridge, after, entries, ENTRIES_READ)
        flows += [_flow(entry) for entry in entries[0:count]]
        if count < ENTRIES_READ:
            return flows


def _flow(entry: Any) -> KernelFlow:
    deadline_ns = None if entry.deadline_ns == NEVER_NS else entry.deadline_ns
    return KernelFlow(entry.rtp_port, entry.peer_rtp_port, entry.held, deadline_ns, entry.packets, entry.last_ns)


def state_of(bridge: Any) -> tuple[bool, str]:
    """Whether the kernel may forward for the bridge of this C handle, and why not."""
    why = ffi.new("char[]", lib.KERNEL_WHY_BYTES)
    used = lib.bridge_kernel(bridge, why)
    return used, _text(why)


def try_kernel() -> tuple[bool, str]:
    """Whether this process may have the kernel forward, tried and taken back; the answer is that of Bridge.kernel_state()."""
    why = ffi.new("char[]", lib.KERNEL_WHY_BYTES)
    possible = lib.bridge_kernel_try(why)
    return possible, _text(why)


def _text(written: Any) -> str:
    text: str = ffi.string(written).decode(errors="replace")
    return text
