"""The integrators' API under /api/v1: CAMARA ClickToDial, and beside it quotes, accounts, xDRs, funds, provisioning.

Whether they may is asked of billing, as by the pages; who asks is a key (webcb/web/bearer.py). The contract is contract.py.
"""

from webcb.web.api import account, calls, codes, contract, operator
from webcb.web.api.desk import blueprint

__all__ = ["account", "blueprint", "calls", "codes", "contract", "operator"]
