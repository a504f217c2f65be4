"""Which targets may be probed: judged on the address that is dialled, after the name is looked up.

A probe for whoever asks is a way into every network that the exporter reaches. So a name alone
never admits: what it resolves to may change between a judgement and a connection. What is judged
here are the addresses that ``probe.prober.check_found`` dials, each as the host that it reaches.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

from probe.net.dial import AddressInfo

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SPECIAL: Final = {
    ip_network("0.0.0.0/8"): "RFC 1122 §3.2.1.3; Linux connects 0.0.0.0 to this machine",
    ip_network("127.0.0.0/8"): "loopback, RFC 1122 §3.2.1.3",
    ip_network("169.254.0.0/16"): "link-local, RFC 3927; clouds hand out credentials there",
    ip_network("224.0.0.0/4"): "multicast, RFC 5771",
    ip_network("240.0.0.0/4"): "reserved, RFC 1112 §4, and the limited broadcast",
    ip_network("::/128"): "unspecified, RFC 4291 §2.5.2; Linux connects it to this machine",
    ip_network("::1/128"): "loopback, RFC 4291 §2.5.3",
    ip_network("fe80::/10"): "link-local, RFC 4291 §2.5.6",
    ip_network("ff00::/8"): "multicast, RFC 4291 §2.7",
}
"""Networks that only a permit for a network inside them admits, and what they are."""


class Embedding(NamedTuple):
    """IPv6 addresses that carry an IPv4 address, which is the one that answers.

    Attributes:
        network: Theirs.
        shift: Bits that follow the IPv4 address.
    """

    network: IPv6Network
    shift: int


EMBEDDINGS: Final = (
    Embedding(IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped: RFC 4291 §2.5.5.2
    Embedding(IPv6Network("64:ff9b::/96"), 0),  # NAT64: RFC 6052 §2.1
    Embedding(IPv6Network("64:ff9b:1::/48"), 0),  # NAT64 of a site: RFC 8215, as most number it
    Embedding(IPv6Network("2002::/16"), 80),  # 6to4: RFC 3056 §2
)


class Permit(NamedTuple):
    """A row of the allow list: it admits what meets all three.

    Attributes:
        networks: One of them holds the address; empty for any that is not special.
        hosts: One of these patterns matches the host as it was asked for, in lower case.
        ports: One of them is the port.
    """

    networks: tuple[Network, ...]
    hosts: tuple[str, ...]
    ports: tuple[int, ...]

    def names(self, host: str, port: int) -> bool:
        """Whether this row may admit ``host``, so that it is worth to look it up."""
        name = host.lower().rstrip(".")
        return port in self.ports and any(fnmatchcase(name, pattern) for pattern in self.hosts)

    def admits(self, host: str, address: Address, port: int) -> bool:
        """Whether this row lets ``host`` be probed at ``address``, the one that is reached."""
        return self.names(host, port) and self._holds(address)

    def _holds(self, address: Address) -> bool:
        special = next((network for network in SPECIAL if address in network), None)
        if special is None:
            return not self.networks or any(address in network for network in self.networks)
        return any(address in own and _is_inside(own, special) for own in self.networks)


def reached(address: str) -> Address:
    """Return the address that answers when ``address`` is dialled; ``%scope`` is ignored."""
    found = ip_address(address.partition("%")[0])
    for network, shift in EMBEDDINGS:
        if found in network:
            return IPv4Address(int(found) >> shift & 0xFFFFFFFF)
    return found


def admitted(
    permits: Iterable[Permit],
    host: str,
    found: Iterable[AddressInfo],
) -> list[AddressInfo]:
    """Return those of the addresses found for ``host`` that may be dialled, in order."""
    rows = tuple(permits)
    return [
        info
        for info in found
        if any(row.admits(host, reached(info[1][0]), info[1][1]) for row in rows)
    ]


def _is_inside(own: Network, special: Network) -> bool:
    if isinstance(own, IPv4Network):
        return isinstance(special, IPv4Network) and own.subnet_of(special)
    return isinstance(special, IPv6Network) and own.subnet_of(special)
