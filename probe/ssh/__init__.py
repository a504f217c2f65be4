"""The beginning of SSH as a client sees it, sans I/O: octets in, events out.

It needs the standard library alone and knows no socket, no clock and no randomness.
``probe.ssh.handshake`` is the machine; every other module is a piece of it.
"""
