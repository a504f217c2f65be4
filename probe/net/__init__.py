"""The only layer that awaits a socket or reads a clock."""
