"""What the bridge's C answers when it refuses, as exceptions."""

import errno
import os
from typing import Final

_FAULTS: Final = {
    errno.EINVAL: "out of its limits",
    errno.EBADF: "the port is closed",
    errno.EBUSY: "joined already",
    errno.ENOTCONN: "not connected",
    errno.ENOTSUP: "the far side has neither PCMU, PCMA nor G.722",
    errno.EAFNOSUPPORT: "of another address family than the port",
    errno.ELOOP: "a port of this bridge itself",
}


class PortsUsedUp(OSError):
    """No pair of ports in the bridge's range is free."""


def check(error: int, what: str) -> None:
    """Raises the errno that C answered: ValueError for a fault of the caller, OSError for what the system refused."""
    if error in _FAULTS:
        raise ValueError(f"{what}: {_FAULTS[error]}")
    if error == errno.EAGAIN:  # of making a thread, whose stack is mapped with it
        raise OSError(error, f"{what}: no thread can be started, or there is no memory for it")
    if error != 0:
        raise OSError(error, f"{what}: {os.strerror(error)}")
