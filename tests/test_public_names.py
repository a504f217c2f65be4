"""The names that callers may use, and what importing them costs."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from inspect import getdoc, isroutine
from itertools import pairwise
from pathlib import Path

import pytest

import probe

PACKAGE = Path(probe.__file__).parent

COSTLY = ("argparse", "asyncio", "dataclasses", "email", "hypothesis", "json", "unittest")
"""What a prober has no use for until it prints or parses: each costs milliseconds of start-up."""


def documented_constants() -> Iterator[str]:
    """Names that a module of the package assigns, with a text below that says what they are."""
    for path in PACKAGE.glob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for statement, below in pairwise(body):
            match statement, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str())),
                ):
                    yield name


def modules_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded once it ran ``statement``."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return set(done.stdout.split())


def test_the_public_names_are_few() -> None:
    assert len(probe.__all__) <= 20
    assert len(set(probe.__all__)) == len(probe.__all__)


@pytest.mark.parametrize("name", probe.__all__)
def test_each_public_name_is_documented(name: str) -> None:
    value = getattr(probe, name)
    if isinstance(value, type) or isroutine(value):
        assert value.__module__.startswith("probe.")
        assert getdoc(value)
    elif name != "__version__":  # what PEP 396 made known needs no words
        assert name in set(documented_constants())


def test_the_version_is_that_of_the_installed_package() -> None:
    assert probe.__version__ == metadata.version("sshprobe")


def test_importing_it_loads_nothing_costly_that_trio_does_not_load() -> None:
    loaded = modules_after("import probe; probe.check") - modules_after("import trio")
    assert "probe.prober" in loaded
    assert not loaded.intersection(COSTLY)


# The command and the catalogue are imported by those who use them.
def test_importing_it_loads_no_face_of_it() -> None:
    loaded = modules_after("import probe; probe.check")
    assert not {name for name in loaded if name.startswith(("probe.cli", "probe.catalogue"))}


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = probe.no_such_name  # type: ignore[attr-defined]


def test_names_that_were_not_used_yet_are_listed() -> None:
    assert set(probe.__all__) <= set(dir(probe))


def test_the_protocol_alone_needs_no_trio() -> None:
    code = "import sys, probe.ssh.handshake; sys.exit('trio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
