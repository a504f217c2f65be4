"""What holds for every test.

No probe in it waits without a deadline (``tests/waits.py``), and Ctrl-C is heard.
"""

from interrupts import interrupts_are_heard
from waits import pytest_configure, pytest_runtest_call, pytest_unconfigure

__all__ = [
    "interrupts_are_heard",
    "pytest_configure",
    "pytest_runtest_call",
    "pytest_unconfigure",
]
