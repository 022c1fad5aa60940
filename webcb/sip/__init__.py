"""What is said on the wire (RFC 3261 and kin), without I/O: no socket, clock, thread or randomness of its own.

Imports nothing else of this house and could be lifted out and published. `useragent.UserAgent` is the way in; the other
modules are named for what they hold.
"""
