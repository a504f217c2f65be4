"""The browser of the tests that look at pages: Debian's Chromium, told to ask nobody."""

import os
import shutil
from typing import Final

import pytest
from playwright.sync_api import Browser, Playwright

_PATH: Final = shutil.which("chromium")

needed = pytest.mark.skipif(
    _PATH is None and not os.environ.get("CI"), reason="no chromium on this machine"
)
"""The mark of a test that does without only where nobody installs it."""

_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def launch(playwright: Playwright) -> Browser:
    """Start it."""
    return playwright.chromium.launch(executable_path=_PATH, args=list(_ARGUMENTS))
