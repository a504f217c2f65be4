"""Measures which branches of ``probe.ssh`` the corpora alone reach.

    python -m fuzz.covered

Prints what is missed, and the percentage on the last line.
"""

import sys

from coverage import Coverage

from fuzz.targets import TARGETS
from fuzz.work import corpus


def main() -> float:
    """Run all inputs of all corpora under coverage, and return the percentage."""
    coverage = Coverage(data_file=None, branch=True, source=["probe.ssh"], config_file=False)
    coverage.start()
    for target in TARGETS:
        one_input = target.load()
        for data in corpus(target).values():
            one_input(data)
    coverage.stop()
    return coverage.report(show_missing=True, skip_covered=True, file=sys.stdout)


if __name__ == "__main__":
    print(main())
