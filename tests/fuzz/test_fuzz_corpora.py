"""Every input that is kept holds its target's invariant, and together they reach ``probe.ssh``."""

import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import corpus, disagreements, peers
from fuzz.targets import BY_NAME, TARGETS, Target
from fuzz.work import CORPORA
from fuzz.work import corpus as inputs_of

ROOT = Path(__file__).parent.parent.parent

by_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


@by_target
def test_every_input_holds_the_invariant(target: Target) -> None:
    one_input = target.load()
    broken = []
    for name, data in inputs_of(target).items():
        try:
            one_input(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a regression
            broken.append((name, repr(error)[:300]))
    assert not broken


@by_target
def test_the_invariant_is_on_line_1_and_the_file_is_short(target: Target) -> None:
    lines = (ROOT / "fuzz" / "targets" / f"{target.name}.py").read_text().splitlines()
    assert lines[0].startswith('"""')
    assert lines[0].endswith('."""')
    assert len(lines) <= 40


def test_the_corpora_are_what_the_script_writes() -> None:
    assert sorted(path.name for path in CORPORA.iterdir()) == sorted(corpus.MAKERS)
    for name in corpus.MAKERS:
        kept = {path.name: path.read_bytes() for path in (CORPORA / name).iterdir()}
        made = {key: data for key, data in kept.items() if not key.startswith(corpus.FOUND)}
        assert made == corpus.made(name)


def test_every_corpus_has_a_target_and_every_file_a_target() -> None:
    assert {name for target in TARGETS for name in target.corpora} == set(corpus.MAKERS)
    files = {path.stem for path in (ROOT / "fuzz" / "targets").glob("*.py")} - {"__init__"}
    assert files == set(BY_NAME)


# The bar, and no luck: what only a mebibyte reaches is all that the corpora miss.
def test_the_corpora_alone_reach_95_percent_of_the_branches() -> None:
    command = (sys.executable, "-m", "fuzz.covered")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout.split()[-1]) >= 95


@pytest.mark.parametrize("row", disagreements.DISAGREEMENTS, ids=lambda row: row.code)
def test_every_disagreement_is_seen_in_the_corpora(row: disagreements.Disagreement) -> None:
    def shows(data: bytes) -> bool:
        ours, codes = peers.we_hear(data)
        if row.code not in codes:
            return False
        if row.program == "asyncssh":
            return peers.asyncssh_hears(data) != ours
        return ours.offer is not None and (
            peers.paramiko_reads_offer(ours.payloads[-1]) != ours.offer
        )

    assert any(map(shows, inputs_of(BY_NAME["peers"]).values()))
