"""Installing it as docs/installing.md has it, on machines of their own: slow, and as root."""
