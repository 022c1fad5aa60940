"""How the connections stand, as far as it matters to a call: what speaks against each, and the way to it."""

from typing import Final

from webcb.engine.prober import Prober
from webcb.engine.registrar import Registrations

SILENT: Final = "does not answer its probes"
NOT_REGISTERED: Final = "does not have us registered"


class Standing:
    """What is known of the connections of one engine."""

    def __init__(self, prober: Prober, registrations: Registrations) -> None:
        self._prober = prober
        self._registrations = registrations

    def trouble(self, connection_id: int) -> str:
        """Why a connection is not to be called by now, "" where nothing is known against it."""
        if self._prober.is_down(connection_id):
            return SILENT
        return NOT_REGISTERED if self._registrations.is_missing(connection_id) else ""

    def routes(self, connection_id: int) -> tuple[str, ...]:
        """The Route values that calls by a connection are to carry."""
        return self._registrations.routes(connection_id)
