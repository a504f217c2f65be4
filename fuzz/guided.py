"""Looks for inputs by the coverage that they reach: libFuzzer, by way of Atheris.

    python -m fuzz.guided TARGET SECONDS SEED

It is a process of its own, because Atheris ends the process, and has to be there before what it
instruments is imported.
"""

import sys
from pathlib import Path

import atheris

from fuzz.mutation import LONG_LENGTHS, TOKENS
from fuzz.targets import BY_NAME
from fuzz.work import CORPORA, folder


def main(name: str, seconds: str, seed: str) -> None:
    """Fuzz a target until the time is up or its invariant breaks."""
    target = BY_NAME[name]
    with atheris.instrument_imports(include=["probe", "argparse", "tomllib"]):
        one_input = target.load()
    folders = [folder(name, "found"), *(CORPORA / corpus for corpus in target.corpora)]
    failures = folder(name, "failures")
    options = (
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-max_len={target.most_octets}",
        f"-dict={_write_dictionary(folder(name, 'dictionary'))}",
        f"-artifact_prefix={failures}/",
        "-timeout=120",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
    )
    atheris.Setup([sys.argv[0], *options, *map(str, folders)], one_input)
    atheris.Fuzz()


def _write_dictionary(into: Path) -> Path:
    numbers = (number.to_bytes(4) for number in LONG_LENGTHS)
    path = into / "tokens"
    lines = ("".join(f"\\x{octet:02x}" for octet in token) for token in (*TOKENS, *numbers))
    path.write_text("".join(f'"{line}"\n' for line in lines))
    return path


if __name__ == "__main__":
    main(*sys.argv[1:])
