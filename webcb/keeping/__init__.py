"""Keeping an installation: moved to another database, backed up and restored, what is old put aside. No rule of calls or money."""
