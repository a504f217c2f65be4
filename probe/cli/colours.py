"""States in colour."""

from typing import Final

from probe.verdict import State

_COLOURS: Final = {
    State.OK: "\033[32m",
    State.WARNING: "\033[33m",
    State.UNKNOWN: "\033[35m",
    State.CRITICAL: "\033[31m",
}
_PLAIN: Final = "\033[0m"


def paint(text: str, state: State) -> str:
    """Return ``text`` in the colour of ``state``, for a terminal."""
    return f"{_COLOURS[state]}{text}{_PLAIN}"
