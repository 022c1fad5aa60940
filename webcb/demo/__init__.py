"""A carrier on loopback with phones that answer, ring, are busy, speak: for `webcb demo`, tests and benchmarks."""
