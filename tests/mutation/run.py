"""Shows that the tests can fail: applies each mutant and runs the tests of its table.

A mutant is killed when a test fails, or when the tests do not end in time. Prints what killed each,
and exits 1 if one survived that is not listed as one that no test can notice.

    python tests/mutation/run.py [PART OF A NAME …]
"""

import os
import re
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

import hypothesis
import pytest
from hypothesis import Phase
from mutants import CONTROL, TESTS, Mutant, mutants

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 120.0
"""No mutant needs it, so it costs nothing; and no busy machine makes a control look like one."""

EXAMPLES = 30
"""What a property test draws, in place of 100, and the same each time: enough for these mutants."""

RUNNING = "running"
CHOSEN_TESTS = "not compares_tables and not exhaustive and not long and not real_time"
BROKE = "a test run that broke"
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


class Trial(NamedTuple):
    """A mutant whose tests run in a process of their own."""

    mutant: Mutant
    process: int
    output: TextIO
    began: float


def main(wanted: Sequence[str]) -> int:
    os.chdir(ROOT)
    began = time.monotonic()
    chosen = [
        mutant for mutant in mutants() if not wanted or any(part in mutant.name for part in wanted)
    ]
    wrong = 0
    for trial, killer in ended_trials(chosen):
        mutant = trial.mutant
        wrong += is_wrong(mutant, killer)
        said = killer or mutant.unkillable or "SURVIVED"
        spent_s = time.monotonic() - trial.began
        print(f"{mutant.table:12} {mutant.name:52} {spent_s:5.1f} s  {said}", flush=True)
    spent_s = time.monotonic() - began
    print(f"{len(chosen)} mutants and controls, {wrong} not as they should be, {spent_s:.0f} s")
    return int(wrong > 0)


def is_wrong(mutant: Mutant, killer: str | None) -> bool:
    """Whether a control was killed, a mutant survived, or a run says nothing of either."""
    if mutant.name == CONTROL:
        return killer is not None
    return killer == BROKE or (killer is None and not mutant.unkillable)


def ended_trials(chosen: Sequence[Mutant]) -> Iterator[tuple[Trial, str | None]]:
    """Try the mutants, one a processor; give each trial that ended with what killed it, or None."""
    waiting = deque(chosen)
    running: list[Trial] = []
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            running.append(begin(waiting.popleft()))
        time.sleep(0.01)
        for trial in running.copy():
            killer = judge(trial)
            if killer != RUNNING:
                running.remove(trial)
                trial.output.close()
                yield trial, killer


def begin(mutant: Mutant) -> Trial:
    output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed when the trial has ended
    process = os.fork()
    if process == 0:
        os._exit(be_mutant(mutant, output.fileno()))
    return Trial(mutant, process, output, time.monotonic())


def judge(trial: Trial) -> str | None:
    """Return ``RUNNING``, ``None`` if all tests passed, or the test that failed."""
    ended, status = os.waitpid(trial.process, os.WNOHANG)
    if ended and status == 0:
        return None
    if ended:
        trial.output.seek(0)
        failed = FAILED.search(trial.output.read())
        return failed.group(1) if failed else BROKE
    if time.monotonic() - trial.began < PATIENCE_S:
        return RUNNING
    os.killpg(trial.process, signal.SIGKILL)
    os.waitpid(trial.process, 0)
    return f"tests that do not end within {PATIENCE_S:g} s"


def be_mutant(mutant: Mutant, output: int) -> int:
    """Run the tests of the mutant's table, file by file, up to the first failure."""
    os.setpgid(0, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    mutant.apply()
    hypothesis.settings.register_profile(
        "few",
        max_examples=EXAMPLES,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),  # nobody reads the least example that fails
    )
    hypothesis.settings.load_profile("few")
    options = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--tb=no", "-rfE"]
    for path in TESTS[mutant.table]:
        status = pytest.main([*options, "-m", CHOSEN_TESTS, path])
        if status:
            return int(status)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
