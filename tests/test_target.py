"""Targets as people write them: every form, every refusal, and nothing else ever raised."""

import re
from ipaddress import IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probe.target import LARGEST_PORT, SSH_PORT, Target, parse_port, parse_target, require_target

FORMS = {
    "host": Target("host", 22),
    "host:2222": Target("host", 2222),
    "host.example.org": Target("host.example.org", 22),
    "host.example.org.": Target("host.example.org.", 22),
    "HOST": Target("HOST", 22),
    "host_1:1": Target("host_1", 1),
    "host:65535": Target("host", 65535),
    "host:00022": Target("host", 22),
    "bücher.example": Target("bücher.example", 22),
    "192.0.2.1": Target("192.0.2.1", 22),
    "192.0.2.1:2222": Target("192.0.2.1", 2222),
    "999.0.2.1": Target("999.0.2.1", 22),  # whether that is a name is the resolver's business
    "2001:db8::1": Target("2001:db8::1", 22),
    "::": Target("::", 22),
    "::ffff:192.0.2.1": Target("::ffff:192.0.2.1", 22),
    "[2001:db8::1]": Target("2001:db8::1", 22),
    "[2001:db8::1]:2222": Target("2001:db8::1", 2222),
    "fe80::1%eth0": Target("fe80::1%eth0", 22),
    "[fe80::1%eth0]:2222": Target("fe80::1%eth0", 2222),
    "ssh://host": Target("host", 22),
    "ssh://host/": Target("host", 22),
    "ssh://host:2222": Target("host", 2222),
    "ssh://host:2222/": Target("host", 2222),
    "ssh://[2001:db8::1]:2222/": Target("2001:db8::1", 2222),
    "ssh://user@host:2222": Target("host", 2222),
    "ssh://user:word@host": Target("host", 22),
    "ssh://us@er@host": Target("host", 22),
    "SSH://host": Target("host", 22),
    "Ssh://Host:1": Target("Host", 1),
}

PORTS = "ports go from 1 to 65535"
BRACKETS = "write [::1]:22"

REFUSALS = {
    "": "not a host: ''",
    " ": "not a host: ' '",
    "two words": "not a host: 'two words'",
    "host\n": r"not a host: 'host\n'",
    "host\0": r"not a host: 'host\x00'",
    "fe80::1%eth 0": "not a host: 'fe80::1%eth 0'",
    "fe80::1%eth0]:22": BRACKETS,
    ":22": "not a host: ''",
    "ssh://": "not a host: ''",
    "ssh:///": "not a host: ''",
    "ssh://user@": "not a host: ''",
    "ssh://:22": "not a host: ''",
    "host:": PORTS,
    "host:ssh": PORTS,
    "host:0": PORTS,
    "host:65536": PORTS,
    "host:000022": PORTS,
    "host:+22": PORTS,
    "host:-22": PORTS,
    "host: 22": PORTS,
    "host:22 ": PORTS,
    "host:2_2": PORTS,
    "host:22.0": PORTS,
    "host:0x16": PORTS,
    "host:٢٢": PORTS,
    "host:²²": PORTS,
    "host:" + "9" * 5000: PORTS,
    "[::1]:": PORTS,
    "[::1]:0": PORTS,
    "ssh:host": PORTS,
    "ssh://host:": PORTS,
    "[::1": BRACKETS,
    "[::1]22": BRACKETS,
    "[::1]x": BRACKETS,
    "[]": BRACKETS,
    "[]:22": BRACKETS,
    "[host]:22": BRACKETS,
    "[192.0.2.1]": BRACKETS,
    "host:22:23": BRACKETS,
    "2001:db8::1::2": BRACKETS,
    "fe80::1%": BRACKETS,
    "ssh://::1:22:x": BRACKETS,
    "user@host": "write host without user@",
    "user:word@host:22": "write host:22 without user:word@",
    "host/": "write host, host:port or ssh://host:port",
    "//host": "write host, host:port or ssh://host:port",
    "http://host": "write host, host:port or ssh://host:port",
    "sftp://host/": "write host, host:port or ssh://host:port",
    "ssh:/host": "write host, host:port or ssh://host:port",
    "ssh://host/path": "write ssh://host",
    "ssh://host:22//": "write ssh://host:22",
    "ssh://host?query": "write ssh://host",
    "ssh://host:22#fragment": "write ssh://host:22",
}

ports = st.integers(1, LARGEST_PORT)
words = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
users = st.just("") | words.map("{}@".format)
schemes = st.sampled_from(["ssh://", "SSH://", "sSh://"])
scopes = st.just("") | words.map("%{}".format)
addresses = st.tuples(st.ip_addresses(v=6).map(str), scopes).map("".join)

nearly_targets = st.lists(
    st.sampled_from(["ssh://", "[", "]", ":", "::1", "@", "/", "%", "?", "#", "22", "host", " "]),
).map("".join)


@pytest.mark.parametrize("text", FORMS)
def test_every_form(text: str) -> None:
    assert parse_target(text) == FORMS[text]


@pytest.mark.parametrize("text", REFUSALS, ids=lambda text: ascii(text)[:30])
def test_every_refusal_says_what_is_wrong_or_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(REFUSALS[text])):
        parse_target(text)


@pytest.mark.parametrize(
    "text", ["host", "192.0.2.1", "::1", "[::1]", "ssh://host", "ssh://[::1]/"]
)
def test_the_default_port_is_for_targets_that_name_none(text: str) -> None:
    assert parse_target(text).port == SSH_PORT == 22  # RFC 4253 §4.1
    assert parse_target(text, 2222).port == 2222


@pytest.mark.parametrize("text", ["host:1", "[::1]:1", "ssh://host:1"])
def test_the_default_port_yields_to_the_targets_own(text: str) -> None:
    assert parse_target(text, 2222).port == 1


@pytest.mark.parametrize("port", [-1, 0, LARGEST_PORT + 1])
def test_a_default_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match=PORTS):
        parse_target("host", port)


@pytest.mark.parametrize("host", ["", " ", "a b", "host\t", "\0", "ho\u2028st", "\u3000"])
def test_no_host_of_the_library_either(host: str) -> None:
    with pytest.raises(ValueError, match="not a host"):
        require_target(host, 22)


@given(st.text() | nearly_targets)
@example("[" * 5000)
@example("\udcff")
def test_nothing_but_value_error_is_ever_raised(text: str) -> None:
    try:
        target = parse_target(text)
    except ValueError:
        return
    require_target(*target)


@given(st.text())
def test_a_port_is_read_only_if_it_is_one(text: str) -> None:
    try:
        assert parse_port(text) == int(text)
    except ValueError:
        assert text.lstrip("0") not in map(str, range(1, LARGEST_PORT + 1)) or len(text) > 5


@given(ports)
def test_every_port_is_read(port: int) -> None:
    assert parse_port(str(port)) == port


@given(words, ports)
def test_host_and_port_come_back(host: str, port: int) -> None:
    assert parse_target(f"{host}:{port}") == (host, port)
    assert parse_target(host, port) == (host, port)


@given(addresses, ports)
def test_an_ipv6_address_comes_back_as_it_was_written(address: str, port: int) -> None:
    assert parse_target(address, port) == (address, port)
    assert parse_target(f"[{address}]", port) == (address, port)
    assert parse_target(f"[{address}]:{port}") == (address, port)


@given(st.ip_addresses(v=6), ports)
def test_a_long_ipv6_address_comes_back_as_it_was_written(address: IPv6Address, port: int) -> None:
    assert parse_target(f"[{address.exploded}]:{port}") == (address.exploded, port)


@given(schemes, users, words | addresses.map("[{}]".format), ports, st.sampled_from(["", "/"]))
def test_an_address_with_a_scheme_means_what_it_means_without(
    scheme: str,
    user: str,
    host: str,
    port: int,
    slash: str,
) -> None:
    assert parse_target(f"{scheme}{user}{host}:{port}{slash}") == parse_target(f"{host}:{port}")
