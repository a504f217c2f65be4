"""Why a scrape has no probe, and what is said then."""

from enum import StrEnum
from http import HTTPStatus
from typing import Final, NamedTuple


class Reason(StrEnum):
    """Its name in the metrics."""

    HOST = "host"
    REQUEST = "request"
    FORBIDDEN = "forbidden"
    TOO_OFTEN = "too-often"
    FULL = "full"
    STUCK = "stuck"
    BUG = "bug"


class Refusal(NamedTuple):
    """A row of ``REFUSALS``.

    Attributes:
        status: Of HTTP.
        text: For who asked.
    """

    status: HTTPStatus
    text: str


REFUSALS: Final = {
    Reason.HOST: Refusal(HTTPStatus.MISDIRECTED_REQUEST, "no host of that name is served here"),
    Reason.REQUEST: Refusal(HTTPStatus.BAD_REQUEST, "the scrape makes no sense"),
    Reason.FORBIDDEN: Refusal(
        HTTPStatus.FORBIDDEN, "the allow list of this exporter does not admit that target"
    ),
    Reason.TOO_OFTEN: Refusal(
        HTTPStatus.TOO_MANY_REQUESTS,
        "that server was asked as often as is polite: OpenSSH punishes who asks more often",
    ),
    Reason.FULL: Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many probes are in flight"),
    Reason.STUCK: Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE, "the probe outlived its budget: a bug of sshprobe's"
    ),
    Reason.BUG: Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "sshprobe itself failed: see its log"),
}


class RefusedError(Exception):
    """A scrape has no probe.

    Args:
        reason: Why.
        detail: What is said besides, printable.
        retry_after_s: After how many seconds it is worth to ask again, if it is.
    """

    def __init__(self, reason: Reason, detail: str = "", retry_after_s: int | None = None) -> None:
        super().__init__(reason, detail, retry_after_s)
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s

    def again(self) -> "RefusedError":
        """Return another one, to be raised in another task."""
        return RefusedError(self.reason, self.detail, self.retry_after_s)
