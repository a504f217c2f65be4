"""Has Ctrl-C heard by all tests, and by the programs that they start."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heard() -> None:
    """Undo what a shell does to a command in the background: it starts with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
