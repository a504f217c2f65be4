"""The drivers find what is there to be found, keep it, and say how to see it again."""

from pathlib import Path

import pytest
from hypothesis import strategies as st

from fuzz import mutation, structured, work
from fuzz.cuts import cut
from fuzz.targets import BY_NAME, Target

SEED = 1


def fail_at_two_minuses(data: bytes) -> None:
    assert b"--" not in data


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Target:
    monkeypatch.setattr(work, "WORK", tmp_path)
    monkeypatch.setattr(Target, "load", lambda _: fail_at_two_minuses)
    return BY_NAME["identification"]


def test_mutation_finds_and_keeps_it(broken: Target) -> None:
    inputs = list(work.corpus(broken).values())
    mutator = mutation.Mutator([data for data in inputs if b"--" not in data], SEED, 9000)
    tally = mutation.fuzz(broken.name, broken.load(), mutator, 2.0)
    [path] = tally.failures
    assert b"--" in path.read_bytes()
    assert tally.executions > 100


def test_hypothesis_finds_and_keeps_it(broken: Target) -> None:
    tally = structured.fuzz(broken, 20.0, SEED)
    [path] = tally.failures
    assert b"--" in path.read_bytes()
    assert list((work.WORK / broken.name / "hypothesis").iterdir())


def test_a_seed_makes_the_same_inputs() -> None:
    inputs = list(work.corpus(BY_NAME["handshake"]).values())
    one, other = (mutation.Mutator(inputs, SEED, 500) for _ in range(2))
    made = [one.next_input() for _ in range(300)]
    assert made == [other.next_input() for _ in range(300)]
    assert len(set(made)) > 200
    assert max(map(len, made)) == 500


def test_cuts_lose_nothing_and_are_the_same_again() -> None:
    data = bytes(range(256)) * 20
    assert b"".join(cut(data)) == data
    assert list(cut(data)) == list(cut(data))
    assert len({len(list(cut(data[:size]))) for size in range(100, 200)}) > 20


def test_hypothesis_makes_inputs_of_every_corpus() -> None:
    assert isinstance(structured.inputs(BY_NAME["faces"]), st.SearchStrategy)
