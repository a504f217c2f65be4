"""The table, a file a layer, a row a behaviour.

Ids are stable and sort by layer: C the connection, I the identification, K packets and KEXINIT, T
what only the kernel's TCP can tell, X the key exchange, at which our own prober has left.
What a row expects was written from the RFCs and from what real clients and servers do; it holds
for a probe with the default budget on a path that takes no time.
"""

from typing import Final

from probe.catalogue.servers.connection import CONNECTION
from probe.catalogue.servers.exchange import EXCHANGE
from probe.catalogue.servers.identification import IDENTIFICATION
from probe.catalogue.servers.kernel import KERNEL
from probe.catalogue.servers.kexinit import KEXINIT

SERVERS: Final = (*CONNECTION, *IDENTIFICATION, *KEXINIT, *KERNEL, *EXCHANGE)

BY_NAME: Final = {server.name: server for server in SERVERS}

NOT_SERVED: Final = {
    "name-error": "made by a resolver",
    "name-timeout": "made by a resolver",
    "refused": "made by a kernel: nothing listens",
    "unreachable": "made by a router, a firewall or a kernel",
    "connect-timeout": "made by a firewall or a host that is down",
    "budget-exhausted": "made by the caller: with the default budget a later stage ends first",
    "local-error": "made by the prober's own machine",
    "internal-error": "made by a bug of the prober's own",
}
"""Verdicts that no server can cause, and who does."""
