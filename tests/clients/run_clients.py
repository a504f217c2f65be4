"""Runs the conformance suite on real clients that are installed, and prints a table of them.

    python tests/clients/run_clients.py [--case PATTERN …] [--venv FOLDER] [CLIENT …]

Libraries for Python are looked for where this runs, or in a virtual environment of their own that
``--venv`` makes once. A client that is not installed is left out, with a word about what it needs.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import trio
from real_clients import BY_NAME, CLIENTS, ROOT, Found, NotInstalledError, Tools, make_venv

from probe.conform.case import select
from probe.conform.judge import Result
from probe.conform.results import Run, to_json, to_members
from probe.conform.suite import PATIENCE, Ended, run

SEPARATE = "  "


def main(words: Sequence[str]) -> int:
    wanted = arguments(words)
    os.environ["PYTHONPATH"] = str(ROOT)  # drivers run where the library is, and need our module
    with tempfile.TemporaryDirectory() as folder:
        python = make_venv(wanted.venv) if wanted.venv else sys.executable
        tools = Tools(Path(folder), python)
        print(SEPARATE.join([f"{'client':56}", *(f"{each:>7}" for each in Result), "seconds"]))
        for name in wanted.client or BY_NAME:
            try:
                trio.run(run_client, name, tools.find(BY_NAME[name]), wanted)
            except NotInstalledError as missing:
                print(f"{name:56}{SEPARATE}left out: it needs {missing}", flush=True)
    return 0


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", nargs="*", help=", ".join(row.name for row in CLIENTS))
    parser.add_argument("--case", action="append", default=[], help="an id or a name; may be *")
    parser.add_argument("--limit", type=float, default=5.0, help="seconds that a client gets")
    parser.add_argument("--jobs", type=int, default=8, help="cases at once")
    parser.add_argument("--venv", type=Path, help="where the libraries are, or are to be")
    parser.add_argument("--results", type=Path, help="a folder for a file of results a client")
    parser.add_argument("--why", action="store_true", help="say what each case came to")
    wanted = parser.parse_args(words)
    for name in wanted.client:
        if name not in BY_NAME:
            parser.error(f"no client is called {name!r}")
    return wanted


async def run_client(name: str, found: Found, wanted: argparse.Namespace) -> None:
    """Run one client against the suite, and print its line of the table."""
    began = time.monotonic()
    cases = select(wanted.case, found.client.kind, wanted.limit)
    async with run(cases, found.client, PATIENCE, wanted.jobs) as ended:
        all_ended = [each async for each in ended]
    counts = Counter(each.judgement.result for each in all_ended)
    columns = [f"{found.title:56}", *(f"{counts[each] or '':>7}" for each in Result)]
    print(SEPARATE.join([*columns, f"{time.monotonic() - began:7.0f}"]), flush=True)
    for line in reasons(all_ended) if wanted.why else ():
        print(line)
    if wanted.results:
        keep(wanted.results / f"{name}.json", found, all_ended)


def reasons(all_ended: Sequence[Ended]) -> Iterator[str]:
    for case, _, judgement in all_ended:
        if judgement.result is not Result.PASSED:
            yield f"  {case.row.id:5} {case.row.name}: {judgement.result}. {judgement.why}"


def keep(path: Path, found: Found, all_ended: Sequence[Ended]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made = Run(found.title, found.client, PATIENCE, now, complete=True)
    path.write_text(to_json(to_members(made, all_ended)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
