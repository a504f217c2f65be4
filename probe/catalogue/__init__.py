"""Misbehaving SSH servers, and a few good ones: a product of its own.

``servers`` is the table, a row a behaviour; ``moves`` are the words that its rows are written in;
``play`` plays a row over any stream, and ``serve`` serves one on a TCP port. Nothing here shares
code with the prober that is tested with it.
"""

from probe.catalogue.listen import serve
from probe.catalogue.row import Expected, Level, Server
from probe.catalogue.servers import BY_NAME, SERVERS

__all__ = ["BY_NAME", "SERVERS", "Expected", "Level", "Server", "serve"]
