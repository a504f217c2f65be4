"""What a scrape asks for, and what comes of it."""

from typing import NamedTuple

from probe.expectation import Assessment
from probe.exporter.config import Module
from probe.report import Report
from probe.target import Target
from probe.verdict import State


class Scrape(NamedTuple):
    """What is asked for. Equal ones can share a probe.

    Attributes:
        target: The server.
        name: The module's name.
        module: What it says.
        limit_s: Seconds that the probe has.
    """

    target: Target
    name: str
    module: Module
    limit_s: float


class Result(NamedTuple):
    """What came of a probe.

    Attributes:
        number: Which probe of this process it was, from 1 on.
        ended_at: When it ended: seconds since 1970.
        scrape: What was asked for.
        report: What was found.
        assessment: What that comes to, as the module sees it.
    """

    number: int
    ended_at: float
    scrape: Scrape
    report: Report
    assessment: Assessment

    @property
    def is_success(self) -> bool:
        """Whether all is as the module wants it."""
        return self.assessment.state is State.OK
