"""The configuration: TOML in, frozen dataclasses out; or what is wrong with which key, and why.

``EXPORTER_KEYS``, ``ALLOW_KEYS`` and ``MODULE_KEYS`` are all that may be written. A file is taken
whole or not at all.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, NoReturn

from probe.budget import STAGES, Budget, budget_from_rows
from probe.expectation import Algorithm, Expectation, parse_algorithm
from probe.exporter.permits import Network, Permit
from probe.prober import require_source
from probe.target import LARGEST_PORT, SSH_PORT
from probe.verdict import Verdict

LARGEST_FILE_OCTETS: Final = 1 << 20
"""Of a configuration: ten thousand rows. More is another file."""


class ConfigError(ValueError):
    """A configuration makes no sense; the message names file, key and reason."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """The table ``exporter``; ``EXPORTER_KEYS`` says what each key means."""

    hosts: tuple[str, ...]
    max_in_flight: int
    max_connections: int
    fresh_s: float
    scrape_offset_s: float
    kept_reports: int


@dataclass(frozen=True, slots=True)
class Module:
    """A table in ``modules``; ``MODULE_KEYS`` says what each key means."""

    limit_s: float
    stage_limits_s: tuple[tuple[str, float], ...]
    port: int
    ip_version: Literal[4, 6] | None
    source: str | None
    expect: frozenset[Verdict]
    require: tuple[Algorithm, ...]
    forbid: tuple[Algorithm, ...]

    def budget(self, limit_s: float) -> Budget:
        """Return the limits of a probe that has ``limit_s``; what no key sets scales with it."""
        return budget_from_rows(limit_s, dict(self.stage_limits_s))

    @property
    def expectation(self) -> Expectation:
        """What is expected; nothing needs to be said of ``ok`` alone."""
        verdicts = frozenset[Verdict]() if self.expect == {Verdict.OK} else self.expect
        return Expectation(verdicts, self.require, self.forbid)


@dataclass(frozen=True, slots=True)
class Config:
    """All that a file says.

    Attributes:
        exporter: What concerns the exporter as a whole.
        allow: The allow list.
        modules: By name. Those of ``MODULES`` are always there.
    """

    exporter: Exporter
    allow: tuple[Permit, ...]
    modules: Mapping[str, Module]


# What a value may be. ----------------------------------------------------------------------------


class Kind(NamedTuple):
    """What a key takes.

    Attributes:
        text: The same, for people.
        read: Makes a value of what TOML gives, or raises ``ValueError``.
    """

    text: str
    read: Callable[[Any], object]


def _refuse(kind: str, value: object) -> NoReturn:
    message = f"must be {kind}, not {value!r}"
    raise ValueError(message)


def _number(least: float, most: float) -> Kind:
    text = f"a number from {least:g} to {most:g}"

    def read(value: Any) -> float:  # noqa: ANN401 - TOML's
        if isinstance(value, bool) or not isinstance(value, int | float):
            _refuse(text, value)
        if not least <= value <= most:  # nan is neither
            _refuse(text, value)
        return float(value)

    return Kind(text, read)


def _whole(least: int, most: int) -> Kind:
    text = f"a whole number from {least} to {most}"

    def read(value: Any) -> int:  # noqa: ANN401 - TOML's
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            _refuse(text, value)
        return value

    return Kind(text, read)


def _text(text: str, parse: Callable[[str], object]) -> Kind:
    def read(value: Any) -> object:  # noqa: ANN401 - TOML's
        if not isinstance(value, str) or not value:
            _refuse(text, value)
        return parse(value)

    return Kind(text, read)


def _list(item: Kind, make: Callable[[Iterable[object]], object] = tuple) -> Kind:
    def read(value: Any) -> object:  # noqa: ANN401 - TOML's
        if not isinstance(value, list):
            _refuse("a list", value)
        return make([item.read(each) for each in value])

    return Kind(f"a list, each {item.text}", read)


def _one_of(*choices: object) -> Kind:
    text = " or ".join(map(str, choices))

    def read(value: Any) -> object:  # noqa: ANN401 - TOML's
        if isinstance(value, bool) or value not in choices:
            _refuse(text, value)
        return value

    return Kind(text, read)


def _read_network(value: str) -> Network:
    return ip_network(value)


def _read_verdict(value: str) -> Verdict:
    if value not in list(Verdict):
        message = f"no verdict is called {value!r}{_hint(value, Verdict)}"
        raise ValueError(message)
    return Verdict(value)


def _read_source(value: str) -> str:
    require_source(value, None)
    return value


def _read_stage_limits(value: Any) -> tuple[tuple[str, float], ...]:  # noqa: ANN401 - TOML's
    if not isinstance(value, dict):
        _refuse("a table", value)
    rows = {stage: LIMIT.read(limit_s) for stage, limit_s in value.items()}
    budget_from_rows(STAGES[0].limit_s, rows)  # type: ignore[arg-type] # LIMIT reads numbers
    return tuple(rows.items())  # type: ignore[arg-type] # as above


LIMIT: Final = _number(0.001, 120)
PORT: Final = _whole(1, LARGEST_PORT)
ALGORITHM: Final = _text("KIND:NAME", parse_algorithm)


# What may be written. ----------------------------------------------------------------------------


class Key(NamedTuple):
    """A row of a table of keys.

    Attributes:
        name: As it is written.
        kind: What it takes.
        default: What it is when it is not written.
        what: What it means.
    """

    name: str
    kind: Kind
    default: object
    what: str


EXPORTER_KEYS: Final = (
    Key(
        "hosts",
        _list(_text("a name", str.lower)),
        (),
        "names by which the exporter is asked, besides localhost and numeric addresses",
    ),
    Key("max_in_flight", _whole(1, 65536), 1024, "probes side by side; one more is refused: 503"),
    Key("max_connections", _whole(1, 65536), 2048, "connections; one more is closed at once"),
    Key(
        "fresh_s",
        _number(0, 60),
        2.0,
        "seconds for which a report answers equal scrapes that come later",
    ),
    Key(
        "scrape_offset_s",
        _number(0, 10),
        0.5,
        "seconds that are kept of the scrape's time for the answer",
    ),
    Key("kept_reports", _whole(0, 10_000), 200, "reports that the page shows; read at the start"),
)

ALLOW_KEYS: Final = (
    Key(
        "networks",
        _list(_text("a network in CIDR notation", _read_network)),
        (),
        "networks, one of which holds the address that is dialled; if none is named, any that is"
        " not special",
    ),
    Key(
        "hosts",
        _list(_text("a pattern", str.lower)),
        ("*",),
        "patterns, one of which matches the host as it was asked for",
    ),
    Key("ports", _list(PORT), (SSH_PORT,), "ports, one of which is the target's"),
)

MODULE_KEYS: Final = (
    Key("limit_s", LIMIT, STAGES[0].limit_s, "seconds for a probe; the scrape's timeout lowers it"),
    Key(
        "stage_limits_s",
        Kind("a table of stages and seconds", _read_stage_limits),
        (),
        "seconds for single stages",
    ),
    Key("port", PORT, SSH_PORT, "port of targets that name none"),
    Key("ip_version", _one_of(4, 6), None, "which addresses of a name are used"),
    Key("source", _text("a numeric address", _read_source), None, "where to connect from"),
    Key(
        "expect",
        _list(_text("a verdict", _read_verdict), frozenset),
        frozenset({Verdict.OK}),
        "verdicts that are a success",
    ),
    Key("require", _list(ALGORITHM), (), "algorithms that must be offered, as for --require"),
    Key("forbid", _list(ALGORITHM), (), "algorithms that must not be offered"),
)


def _defaults(keys: tuple[Key, ...]) -> dict[str, Any]:
    return {key.name: key.default for key in keys}


MODULES: Final = dict.fromkeys(("ssh", "ssh_banner"), Module(**_defaults(MODULE_KEYS)))
"""Modules that need no file; the second is blackbox_exporter's, so that its relabelling does."""

FIRST_MODULE: Final = "ssh"
"""The module of a scrape that names none."""

DEFAULT: Final = Config(
    Exporter(**_defaults(EXPORTER_KEYS)),
    (Permit(**_defaults(ALLOW_KEYS)),),
    MODULES,
)
"""What holds without a file."""


# Reading. ----------------------------------------------------------------------------------------


def read_config(path: Path) -> Config:
    """Read a file.

    Raises:
        ConfigError: It cannot be read, or makes no sense.
    """
    try:
        return parse_config(_contents(path))
    except OSError as error:
        message = f"{path}: {error.strerror}"
    except ValueError as error:  # TOML's own, too, and those of text that is not UTF-8
        message = f"{path}: {error}"
    raise ConfigError(message)


def parse_config(text: str) -> Config:
    """Read the text of a file.

    Raises:
        ValueError: It makes no sense; the message names the key and the reason.
    """
    try:
        written = tomllib.loads(text)
    except RecursionError:
        message = "nested too deeply"
        raise ValueError(message) from None
    _refuse_unknown("", written, [field.name for field in fields(Config)])
    own = _read_table("exporter", written.get("exporter", {}), EXPORTER_KEYS)
    return Config(
        Exporter(**own),
        _read_allow(written["allow"]) if "allow" in written else DEFAULT.allow,
        MODULES | _read_modules(_table("modules", written.get("modules", {}))),
    )


def _contents(path: Path) -> str:
    with path.open("rb") as file:
        octets = file.read(LARGEST_FILE_OCTETS + 1)
    if len(octets) > LARGEST_FILE_OCTETS:
        message = f"larger than {LARGEST_FILE_OCTETS} octets"
        raise ValueError(message)
    return octets.decode()


def _read_allow(written: object) -> tuple[Permit, ...]:
    if not isinstance(written, list):
        message = "allow: must be tables, written [[allow]]"
        raise ValueError(message)  # noqa: TRY004 - all that a file can do wrong is one kind
    return tuple(
        Permit(**_read_table(f"allow[{number}]", each, ALLOW_KEYS))
        for number, each in enumerate(written)
    )


def _read_modules(written: dict[str, Any]) -> dict[str, Module]:
    return {name: _read_module(f"modules.{name}", each) for name, each in written.items()}


def _read_module(where: str, written: object) -> Module:
    module = Module(**_read_table(where, written, MODULE_KEYS))
    if (module.require or module.forbid) and Verdict.OK not in module.expect:
        message = f"{where}: require and forbid need a KEXINIT: add ok to expect"
        raise ValueError(message)
    if module.source is not None:
        _at(where, partial(require_source, module.source, module.ip_version))
    return module


def _read_table(where: str, written: object, keys: tuple[Key, ...]) -> dict[str, Any]:
    table = _table(where, written)
    _refuse_unknown(f"{where}.", table, [key.name for key in keys])
    return {
        key.name: _at(f"{where}.{key.name}", partial(key.kind.read, table[key.name]))
        if key.name in table
        else key.default
        for key in keys
    }


def _table(where: str, written: object) -> dict[str, Any]:
    if not isinstance(written, dict):
        message = f"{where}: must be a table, not {written!r}"
        raise ValueError(message)  # noqa: TRY004 - as above
    return written


def _refuse_unknown(where: str, written: Iterable[str], known: list[str]) -> None:
    for name in written:
        if name not in known:
            message = f"{where}{name}: there is no such key{_hint(name, known)}"
            raise ValueError(message)


def _at(where: str, read: Callable[[], object]) -> object:
    """Read a value, and let what is wrong with it begin with its key."""
    try:
        return read()
    except ValueError as error:
        message = f"{where}: {error}"
        raise ValueError(message) from None


def _hint(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
