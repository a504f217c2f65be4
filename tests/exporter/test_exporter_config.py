"""The configuration: all that may be written is read, and all else is refused with its key."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe import Budget, Verdict
from probe.expectation import Algorithm
from probe.exporter.config import (
    ALLOW_KEYS,
    DEFAULT,
    EXPORTER_KEYS,
    LARGEST_FILE_OCTETS,
    MODULE_KEYS,
    ConfigError,
    Exporter,
    Module,
    parse_config,
    read_config,
)
from probe.exporter.permits import Permit

WHOLE = """
[exporter]
hosts = ["Exporter.example"]
max_in_flight = 10
max_connections = 20
fresh_s = 1
scrape_offset_s = 0.25
kept_reports = 5

[[allow]]
networks = ["192.0.2.0/24", "2001:db8::/32"]
hosts = ["*.Example"]
ports = [22, 2222]

[[allow]]
ports = [23]

[modules.strict]
limit_s = 4
stage_limits_s = {connect = 1, first-octet = 2.5}
port = 2222
ip_version = 4
source = "127.0.0.1"
expect = ["ok", "throttled"]
require = ["kex:mlkem768*"]
forbid = ["mac:*sha1*"]

[modules.tarpit]
expect = ["flooded"]
"""


def test_all_that_may_be_written_is_read() -> None:
    config = parse_config(WHOLE)
    assert config.exporter == Exporter(("exporter.example",), 10, 20, 1.0, 0.25, 5)
    first, second = config.allow
    assert [str(network) for network in first.networks] == ["192.0.2.0/24", "2001:db8::/32"]
    assert (first.hosts, first.ports) == (("*.example",), (22, 2222))
    assert second == Permit((), ("*",), (23,))
    assert set(config.modules) == {"ssh", "ssh_banner", "strict", "tarpit"}
    strict = config.modules["strict"]
    assert (strict.port, strict.ip_version, strict.source) == (2222, 4, "127.0.0.1")
    assert strict.expectation.verdicts == {Verdict.OK, Verdict.THROTTLED}
    assert strict.expectation.required == (Algorithm("kex", "mlkem768*"),)
    assert strict.expectation.forbidden == (Algorithm("mac", "*sha1*"),)
    assert strict.budget(3) == Budget(3, connect_s=1, first_octet_s=2.5)


def test_an_empty_file_is_the_default() -> None:
    assert parse_config("") == DEFAULT
    assert DEFAULT.modules["ssh"].budget(10) == Budget()


def test_a_module_of_the_file_replaces_the_one_that_is_built_in() -> None:
    assert parse_config("[modules.ssh]\nport = 2222").modules["ssh"].port == 2222


def test_an_allow_list_replaces_the_one_that_is_built_in() -> None:
    assert parse_config("allow = []").allow == ()


def test_each_key_is_a_field() -> None:
    """A row more in a table is a field more, else it could be written and not read."""
    assert [key.name for key in EXPORTER_KEYS] == [field.name for field in fields(Exporter)]
    assert [key.name for key in MODULE_KEYS] == [field.name for field in fields(Module)]
    assert tuple(key.name for key in ALLOW_KEYS) == Permit._fields


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listen = 1", "listen: there is no such key"),
        ("module = {}", "module: there is no such key; did you mean modules?"),
        ("exporter = 1", "exporter: must be a table, not 1"),
        ("modules = 1", "modules: must be a table, not 1"),
        ("modules.a = 1", "modules.a: must be a table, not 1"),
        ("allow = 1", "allow: must be tables, written [[allow]]"),
        ("allow = [1]", "allow[0]: must be a table, not 1"),
        ("exporter.fresh = 1", "exporter.fresh: there is no such key; did you mean fresh_s?"),
        ("exporter.fresh_s = 61", "exporter.fresh_s: must be a number from 0 to 60, not 61"),
        ("exporter.fresh_s = nan", "exporter.fresh_s: must be a number from 0 to 60, not nan"),
        ("exporter.fresh_s = true", "exporter.fresh_s: must be a number from 0 to 60, not True"),
        (
            "exporter.kept_reports = 1.5",
            "exporter.kept_reports: must be a whole number from 0 to 10000, not 1.5",
        ),
        ("exporter.hosts = 'a'", "exporter.hosts: must be a list, not 'a'"),
        ("exporter.hosts = ['']", "exporter.hosts: must be a name, not ''"),
        ("exporter.hosts = [1]", "exporter.hosts: must be a name, not 1"),
        (
            "[[allow]]\n[[allow]]\nnetworks = ['192.0.2.1/24']",
            "allow[1].networks: 192.0.2.1/24 has host bits set",
        ),
        ("[[allow]]\nports = [0]", "allow[0].ports: must be a whole number from 1 to 65535, not 0"),
        ("modules.a.limit_s = 0", "modules.a.limit_s: must be a number from 0.001 to 120, not 0"),
        ("modules.a.ip_version = 5", "modules.a.ip_version: must be 4 or 6, not 5"),
        ("modules.a.ip_version = true", "modules.a.ip_version: must be 4 or 6, not True"),
        (
            "modules.a.source = 'here'",
            "modules.a.source: not a numeric address to connect from: 'here'",
        ),
        (
            "modules.a = {source = '127.0.0.1', ip_version = 6}",
            "modules.a: 127.0.0.1 is no address of IP version 6",
        ),
        (
            "modules.a.expect = ['silnt']",
            "modules.a.expect: no verdict is called 'silnt'; did you mean silent?",
        ),
        (
            "modules.a = {expect = ['silent'], require = ['kex:a']}",
            "modules.a: require and forbid need a KEXINIT: add ok to expect",
        ),
        (
            "modules.a.require = ['kexx:a']",
            (
                "modules.a.require: not an algorithm: 'kexx:a'; write KIND:NAME with a kind of kex,"
                " host-key, encryption, mac, compression"
            ),
        ),
        ("modules.a.stage_limits_s = 1", "modules.a.stage_limits_s: must be a table, not 1"),
        (
            "modules.a.stage_limits_s = {conect = 1}",
            (
                "modules.a.stage_limits_s: unknown stage 'conect': the stages are resolve, connect,"
                " identification, first-octet, kexinit"
            ),
        ),
        (
            "modules.a.stage_limits_s = {connect = 'x'}",
            "modules.a.stage_limits_s: must be a number from 0.001 to 120, not 'x'",
        ),
        (f"a = {'[' * 10_000}", "nested too deeply"),
        ("a b", "Expected '=' after a key in a key/value pair (at line 1, column 3)"),
    ],
)
def test_what_makes_no_sense_is_refused_with_file_key_and_reason(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "exporter.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_config(file)
    assert str(refused.value) == f"{file}: {said}"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "exporter.toml"
    for prepare, said in (
        (lambda: None, "No such file or directory"),
        (lambda: file.write_bytes(b"\xff"), "'utf-8' codec can't decode byte 0xff"),
        (lambda: file.write_bytes(b"#" * (LARGEST_FILE_OCTETS + 1)), "larger than 1048576 octets"),
    ):
        prepare()
        with pytest.raises(ConfigError) as refused:
            read_config(file)
        assert str(refused.value).startswith(f"{file}: {said}")


def test_a_good_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "exporter.toml"
    file.write_text(WHOLE)
    assert read_config(file) == parse_config(WHOLE)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(["ok", "10.0.0.0/8", "kex:a", ""]),
    ),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["connect", "x"]), inner, max_size=2)
    ),
    max_leaves=3,
)
KEYS = [
    *(f"exporter.{key.name}" for key in EXPORTER_KEYS),
    *(f"modules.m.{key.name}" for key in MODULE_KEYS),
]


@given(key=st.sampled_from(KEYS), value=VALUES)
def test_any_value_is_read_or_refused_with_its_key(key: str, value: Any) -> None:  # noqa: ANN401
    """Nothing else is raised, whatever is written."""
    try:
        config = parse_config(f"{key} = {_toml(value)}")
    except ValueError as error:
        assert str(error).startswith((f"{key}: ", "modules.m: "))  # noqa: PT017 - either is right
    else:
        hash(config.modules.get("m"))
        hash(config.exporter)


def _toml(value: Any) -> str:  # noqa: ANN401 - any value of TOML
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)
