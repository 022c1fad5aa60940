"""Watching an installation: what its processes count, what the tables tell at a moment, how its log lines are written."""
