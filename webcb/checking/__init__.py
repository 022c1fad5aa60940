"""The check-up of an installation (`webcb check`): host, settings, database, books, carriers and more; each finding with its cure."""
