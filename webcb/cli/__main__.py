"""`python -m webcb.cli`, as the supervisor starts the engine."""

from webcb.cli import main

main()
