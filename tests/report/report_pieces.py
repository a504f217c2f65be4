"""Reports as a program reads them: what the tests of the report share."""

from collections.abc import Iterator


def strings(value: object) -> Iterator[str]:
    """All strings in a value made for JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
