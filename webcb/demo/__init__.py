"""A carrier on loopback whose phones answer, ring, are busy, speak: for `webcb demo`, the tests and the bench."""
