"""Attacks what reads a peer's octets, and what shows them. README.md says how.

It shares the slow reference parser, the played kernel and the watch of waits with the tests. Tests
are no package, so these are found by their folders.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent

sys.path += [str(FOLDER.parent / "tests" / name) for name in ("", "ssh", "proof")]
