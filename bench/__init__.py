"""Repeatable benchmarks, each beside a peer or a floor measured in the same run. `python -m bench` runs them all."""
