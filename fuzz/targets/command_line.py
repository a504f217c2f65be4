"""A command line is options, or exit status 0 or 3 with words that any terminal can be sent."""

import io
from contextlib import redirect_stderr, redirect_stdout

from probe.cli.arguments import parse
from probe.cli.status import USAGE


def one_input(data: bytes) -> None:
    """Read ``data`` as words, with a NUL between them, and as a shell passes them."""
    words = [word.decode(errors="surrogateescape") for word in data.split(b"\0")]
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace")
    with redirect_stdout(out), redirect_stderr(err):
        status = status_of(words)
    for stream in (out, err):
        stream.flush()
    said = out.buffer.tell() + err.buffer.tell()
    assert status in (None, 0, USAGE)
    assert (status is None) is (said == 0)


def status_of(words: list[str]) -> object:
    """Return the status with which the command ends at once; ``None`` if it has work to do."""
    try:
        assert callable(parse(words).run)
    except SystemExit as ended:
        return ended.code
    return None
