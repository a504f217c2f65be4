"""A pytest plugin for authors of SSH clients: the catalogue of misbehaving servers in their tests.

===============================  ===================================================================
``ssh_server(name)``             starts that row of the catalogue on loopback, until the test's end
``misbehaving_ssh_server``       such a server, and the test runs once a row
``assert_ends(within=seconds)``  asserts that a block ends by itself, and leaves nothing behind
===============================  ===================================================================

Which rows ``misbehaving_ssh_server`` has is said by patterns (``K*``, ``silent-*``) for the id or
the name: of a test by the marker ``ssh_cases``, of the others by the setting ``ssh_cases``. Without
either they are all with which a client must not get along. ``--ssh-cases`` stands in for the
setting, and chooses among those of a marker.

    def test_connecting_ends(misbehaving_ssh_server, assert_ends):
        with pytest.raises(MyClientError), assert_ends(within=3):
            my_client.connect(*misbehaving_ssh_server, timeout_s=2)

The plugin is loaded in every run of pytest where this package is installed. So this module imports
neither trio nor the catalogue; whoever uses a fixture does.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from probe.pytest_plugin.ends import Ends, assert_ends

if TYPE_CHECKING:
    from probe.pytest_plugin.servers import Opener, Servers, SshServer

__all__ = ["assert_ends"]

_CASES: Final = "ssh_cases"
_OPTION: Final = "--ssh-cases"
_PER_ROW: Final = "misbehaving_ssh_server"


# Which rows. -------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the setting."""
    parser.getgroup("sshprobe", "misbehaving SSH servers").addoption(
        _OPTION,
        action="append",
        default=[],
        metavar="PATTERN",
        help=f"rows for {_PER_ROW}, by id or name: K*, silent-*; several with commas or again",
    )
    parser.addini(_CASES, f"rows for {_PER_ROW}, where a test has no marker", type="args")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    line = f"{_CASES}(*patterns): rows of the catalogue for {_PER_ROW}, by id or name"
    config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``misbehaving_ssh_server`` once a row."""
    if _PER_ROW not in metafunc.fixturenames or _chooses_itself(metafunc.definition):
        return
    from probe.pytest_plugin.servers import choose  # noqa: PLC0415 - only who asks pays

    marked, given = _marked(metafunc.definition), _of_this_run(metafunc.config)
    rows = choose(marked, given) if marked else choose(given or metafunc.config.getini(_CASES))
    metafunc.parametrize(_PER_ROW, rows, indirect=True, ids=[row.name for row in rows])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse patterns that match nothing: a test that silently has no rows proves nothing."""
    asking = [item for item in items if _PER_ROW in getattr(item, "fixturenames", ())]
    if not asking:
        return
    from probe.pytest_plugin.servers import choose  # noqa: PLC0415 - as above

    given = {_OPTION: _of_this_run(config), f"the setting {_CASES}": config.getini(_CASES)}
    given |= {f"the marker of {item.nodeid}": _marked(item) for item in asking}
    for where, patterns in given.items():
        for pattern in patterns:
            if not choose([pattern]):
                message = f"{where}: no row of the catalogue matches {pattern!r}"
                raise pytest.UsageError(message)


def _chooses_itself(item: pytest.Item) -> bool:
    """Whether the test has ``parametrize("misbehaving_ssh_server", …, indirect=True)``."""
    return any(_PER_ROW in mark.args[0] for mark in item.iter_markers("parametrize"))


def _marked(item: pytest.Item) -> list[str]:
    marker = item.get_closest_marker(_CASES)
    return list(marker.args) if marker else []


def _of_this_run(config: pytest.Config) -> list[str]:
    given: list[str] = config.getoption(_OPTION)
    return [pattern.strip() for patterns in given for pattern in patterns.split(",")]


# Fixtures. ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _ssh_servers() -> Iterator["Servers"]:
    from probe.pytest_plugin.servers import Servers  # noqa: PLC0415 - as above

    with Servers() as servers:
        yield servers


@pytest.fixture
def ssh_server(_ssh_servers: "Servers") -> Iterator["Opener"]:
    """Start a row of the catalogue by its name, until the test's end; several are fine.

    What it gives is ``(host, port)``, and has ``row`` and what its clients did: ``arrived``,
    ``connected``, ``visits``.
    """
    from probe.pytest_plugin.servers import Opener  # noqa: PLC0415 - as above

    with closing(Opener(_ssh_servers)) as opener:
        yield opener


@pytest.fixture
def misbehaving_ssh_server(request: pytest.FixtureRequest, ssh_server: "Opener") -> "SshServer":
    """Run the test once for each row of the catalogue that --ssh-cases or ssh_cases choose.

    It is what ``ssh_server`` gives.
    """
    return ssh_server(request.param)


@pytest.fixture(name="assert_ends")
def _assert_ends() -> Callable[..., Ends]:
    """Assert that a block ends by itself and leaves nothing: with assert_ends(within=seconds)."""
    return assert_ends
