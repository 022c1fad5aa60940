"""`python -m webcb.cli`: the command line, every command by its own way."""

from webcb.cli import main

main()
