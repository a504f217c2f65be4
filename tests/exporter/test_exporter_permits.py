"""The allow list: judged on the address that is dialled, as the host that it reaches."""

import socket
from ipaddress import ip_network

import pytest

from probe.exporter.config import DEFAULT
from probe.exporter.permits import Permit, admitted, reached
from probe.net.dial import AddressInfo


def permit(
    *networks: str, hosts: tuple[str, ...] = ("*",), ports: tuple[int, ...] = (22,)
) -> Permit:
    return Permit(tuple(map(ip_network, networks)), hosts, ports)


def admits(row: Permit, address: str, host: str = "build-7", port: int = 22) -> bool:
    return row.admits(host, reached(address), port)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - that is the point
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%lo",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::",
    ],
)
def test_what_reaches_this_machine_or_its_link_is_refused_unless_listed(address: str) -> None:
    assert not admits(DEFAULT.allow[0], address)
    assert not admits(permit("0.0.0.0/0", "::/0"), address)
    assert not admits(permit(hosts=("build-*",)), address)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("127.0.0.1", "127.0.0.1/32"),
        ("::ffff:127.0.0.1", "127.0.0.1/32"),
        ("0.0.0.0", "0.0.0.0/8"),  # noqa: S104 - that is the point
        ("::1", "::1/128"),
        ("fe80::1", "fe80::/64"),
        ("64:ff9b::7f00:1", "127.0.0.0/8"),
    ],
)
def test_it_is_admitted_where_its_own_network_is_listed(address: str, network: str) -> None:
    assert admits(permit(network), address)
    assert not admits(permit("10.0.0.0/8"), address)


@pytest.mark.parametrize(
    ("address", "is_admitted"),
    [
        ("192.0.2.1", True),
        ("198.51.100.1", False),
        ("::ffff:192.0.2.1", True),
        ("64:ff9b::192.0.2.1", True),
        ("2002:c000:201::9", True),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
    ],
)
def test_only_listed_networks_are_admitted(address: str, is_admitted: bool) -> None:  # noqa: FBT001
    assert admits(permit("192.0.2.0/24", "2001:db8::/32"), address) is is_admitted


def test_all_three_must_be_met() -> None:
    row = permit("192.0.2.0/24", hosts=("*.example", "db"), ports=(22, 2222))
    assert admits(row, "192.0.2.1", "a.EXAMPLE.", 2222)
    assert admits(row, "192.0.2.1", "db")
    assert not admits(row, "192.0.2.1", "a.example", 23)
    assert not admits(row, "192.0.2.1", "example")
    assert not admits(row, "192.0.3.1", "a.example")


def test_without_a_file_port_22_is_the_only_one() -> None:
    [row] = DEFAULT.allow
    assert admits(row, "192.0.2.1")
    assert not admits(row, "192.0.2.1", port=2222)


def test_of_the_addresses_of_a_name_those_are_dialled_that_a_row_admits() -> None:
    found: list[AddressInfo] = [
        (socket.AF_INET6, ("::ffff:127.0.0.1", 22, 0, 0)),
        (socket.AF_INET, ("192.0.2.1", 22)),
        (socket.AF_INET, ("127.0.0.1", 22)),
    ]
    assert admitted(DEFAULT.allow, "a", found) == [found[1]]
    assert admitted([*DEFAULT.allow, permit("127.0.0.1/32")], "a", found) == found
    assert admitted([], "a", found) == []
