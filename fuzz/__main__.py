"""Fuzzes targets for a while, one after the other, and exits 1 if an invariant broke.

python -m fuzz [TARGET …] [--seconds N] [--executions N] [--seed N]
               [--driver mutation|hypothesis|atheris]
"""

import math
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom
from typing import Final

from fuzz import mutation
from fuzz.targets import BY_NAME, TARGETS, Target
from fuzz.work import corpus


def by_mutation(target: Target, seconds: float, given: Namespace) -> int:
    """Mutate the corpus, with the standard library alone."""
    mutator = mutation.Mutator(list(corpus(target).values()), given.seed, target.most_octets)
    tally = mutation.fuzz(target.name, target.load(), mutator, seconds, given.executions)
    return say(target, tally)


def by_hypothesis(target: Target, seconds: float, given: Namespace) -> int:
    """Draw inputs with Hypothesis."""
    from fuzz import structured  # noqa: PLC0415 - the other drivers do without Hypothesis

    return say(target, structured.fuzz(target, seconds, given.seed))


def by_atheris(target: Target, seconds: float, given: Namespace) -> int:
    """Look for coverage with libFuzzer, in a process of its own."""
    words = (target.name, str(round(seconds)), str(given.seed))
    command = (sys.executable, "-m", "fuzz.guided", *words)
    return int(subprocess.run(command, check=False).returncode != 0)  # noqa: S603 - ourselves


DRIVERS: Final[dict[str, Callable[[Target, float, Namespace], int]]] = {
    "mutation": by_mutation,
    "hypothesis": by_hypothesis,
    "atheris": by_atheris,
}


def say(target: Target, tally: mutation.Tally) -> int:
    """Print what came of a run, and return how many failures there were."""
    rate = tally.executions / tally.spent_s
    print(f"{target.name:16} {tally.executions:9} executions, {rate:7.0f} a second", flush=True)
    for path in tally.failures:
        print(f"  failed: python -m fuzz {target.name} --input {path}", flush=True)
    return len(tally.failures)


def options() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all of them if none is named")
    parser.add_argument("--seconds", type=float, default=60, help="in all (default: 60)")
    parser.add_argument(
        "--executions",
        type=int,
        default=math.inf,
        help="mutated inputs of a target, at the most; of a seed they are the same everywhere",
    )
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(2**31))
    parser.add_argument("--driver", choices=DRIVERS, default="mutation")
    parser.add_argument("--input", metavar="FILE", help="run this input alone, and let it raise")
    given = parser.parse_args()
    unknown = set(given.targets) - set(BY_NAME)
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    return given


def main() -> int:
    """Run the targets that were asked for."""
    given = options()
    targets = [BY_NAME[name] for name in given.targets] or list(TARGETS)
    if given.input:
        for target in targets:
            target.load()(Path(given.input).read_bytes())
        return 0
    print(f"seed {given.seed}", flush=True)
    run, seconds = DRIVERS[given.driver], given.seconds / len(targets)
    return int(sum(run(target, seconds, given) for target in targets) > 0)


if __name__ == "__main__":
    sys.exit(main())
