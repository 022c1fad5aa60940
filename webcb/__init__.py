"""webcb, the WEB callback service: calls A, then B, bridges the voice, charges both legs to one account."""

__version__ = "0.1.0"
