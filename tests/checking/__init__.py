"""The check-up: every finding, by making wrong what it looks at."""
