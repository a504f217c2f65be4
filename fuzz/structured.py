"""Draws inputs with Hypothesis, which shrinks what fails and keeps it in its example database."""

import time
from contextlib import suppress
from itertools import count
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

from fuzz.mutation import LONG_LENGTHS, SHORT_LENGTHS, TOKENS, Mutator, Tally
from fuzz.targets import Target
from fuzz.work import corpus, folder, keep_failure

EXAMPLES_A_ROUND: Final = 200
BUFFERS_KEPT: Final = 1000
MOST_CHOICES_OCTETS: Final = 8192


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Inputs of a target: of its corpus, and any made of tokens and of parts of its corpus."""
    kept = list(corpus(target).values())
    known = st.integers(0, len(kept) - 1).map(kept.__getitem__)  # their repr would be long
    parts = st.builds(
        lambda octets, begin, length: octets[begin : begin + length],
        known,
        st.integers(0, 1000),
        st.integers(1, 200),
    )
    numbers = st.sampled_from((*SHORT_LENGTHS, *LONG_LENGTHS)).map(
        lambda number: number.to_bytes(4)
    )
    pieces = st.one_of(st.sampled_from(TOKENS), numbers, st.binary(max_size=24), parts)
    made = st.lists(pieces, max_size=12).map(b"".join)
    spliced = st.builds(bytes.__add__, parts, made) | st.builds(bytes.__add__, made, known)
    return st.one_of(made, spliced).map(lambda octets: octets[: target.most_octets])


class Runner:
    """Runs inputs of a target, counts them, and keeps what fails.

    Attributes:
        executions: Inputs that were run.
        failed: Those that failed, and Hypothesis' simplifications of them.
    """

    def __init__(self, target: Target) -> None:
        self.executions = 0
        self.failed: list[bytes] = []
        self._target = target
        self._one_input = target.load()

    def draw(self) -> None:
        """Let Hypothesis draw inputs, after those of its database."""
        with suppress(Exception):  # it is among those that failed
            self._test()()

    def mutate(self, number: int, buffers: list[bytes]) -> None:
        """Let octets stand for Hypothesis' choices: a mutation of them keeps the form of an input.

        Those that it could make an input of are added to ``buffers``.
        """
        run = self._test().hypothesis.fuzz_one_input
        mutator = Mutator(buffers, number, MOST_CHOICES_OCTETS)
        for _ in range(EXAMPLES_A_ROUND):
            with suppress(Exception):
                buffers += [again for again in [run(mutator.next_input())] if again]
        del buffers[1:-BUFFERS_KEPT]

    def _test(self) -> Any:  # noqa: ANN401 - Hypothesis adds attributes to functions
        @settings(
            database=DirectoryBasedExampleDatabase(folder(self._target.name, "hypothesis")),
            deadline=None,
            max_examples=EXAMPLES_A_ROUND,
            suppress_health_check=list(HealthCheck),
        )
        @given(inputs(self._target))
        def test(data: bytes) -> None:
            self.executions += 1
            try:
                self._one_input(data)
            except Exception:
                self.failed.append(data)
                raise

        return test


def fuzz(target: Target, seconds: float, first_seed: int) -> Tally:
    """Draw inputs for a while, in rounds of both ways, and stop at the first that fails."""
    runner, began, buffers = Runner(target), time.monotonic(), [bytes(64)]
    for number in count(first_seed):
        runner.draw()
        runner.mutate(number, buffers)
        spent_s = time.monotonic() - began
        if runner.failed or spent_s > seconds:
            break
    simplest = sorted(runner.failed, key=len)[:1]
    paths = [keep_failure(target.name, data) for data in simplest]
    return Tally(runner.executions, tuple(paths), spent_s)
