"""Where inputs are: corpora, which are kept, and what a run finds, which git ignores."""

from hashlib import sha256
from pathlib import Path
from typing import Final

from fuzz import FOLDER
from fuzz.targets import Target

CORPORA: Final = FOLDER / "corpora"

WORK: Final = FOLDER.parent / ".fuzz"

_DIGITS: Final = 16


def corpus(target: Target) -> dict[str, bytes]:
    """Return the inputs of a target by the names of their files, in order."""
    paths = [path for name in target.corpora for path in sorted((CORPORA / name).iterdir())]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in paths}


def folder(name: str, kind: str) -> Path:
    """Return a folder for what a run on a target leaves behind; it is made."""
    path = WORK / name / kind
    path.mkdir(parents=True, exist_ok=True)
    return path


def keep_failure(name: str, data: bytes) -> Path:
    """Keep an input that broke an invariant, under its hash."""
    path = folder(name, "failures") / sha256(data).hexdigest()[:_DIGITS]
    path.write_bytes(data)
    return path
