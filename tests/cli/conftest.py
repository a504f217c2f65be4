"""Fixtures of the tests of the command."""

from collections.abc import Iterator

import pytest
from cli_pieces import Servers


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    running = Servers()
    yield running
    running.close()
