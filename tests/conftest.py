"""What holds for every test: no probe in it waits without a deadline (``tests/waits.py``)."""

from waits import pytest_configure, pytest_runtest_call, pytest_unconfigure

__all__ = ["pytest_configure", "pytest_runtest_call", "pytest_unconfigure"]
