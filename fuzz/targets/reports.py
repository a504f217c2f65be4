"""A report that somebody wrote is refused with ValueError, or every face can show it."""

from fuzz.faces import show
from probe.report import Report


def one_input(data: bytes) -> None:
    """Read it as ``Report.from_json`` does."""
    try:
        report = Report.from_json(data)
    except ValueError:
        return
    show(report)
