"""The engine: what happens next in this callback. It claims a callback, calls A, calls B, joins them, ends and settles it."""
