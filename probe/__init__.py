"""Ask an SSH server whether it is alive enough to begin a session, and always have an answer.

``check`` is the probe, ``handshake`` the same over a stream of yours, ``check_blocking`` the same
for code without trio, ``check_addresses`` at every address of a name, ``wait_until_ready`` over and
over until it is as it should be; each returns a ``Report``, or several. ``sweep`` asks at many
servers, and gives out reports as they come. README.md shows them.

The names are imported when they are first used: ``probe.ssh`` needs no trio, and the command can
catch Ctrl-C before it is loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from probe.version import VERSION

if TYPE_CHECKING:
    from probe.addresses import check_addresses
    from probe.budget import STAGES, Budget, Stage, StageTime
    from probe.evidence import Evidence
    from probe.fleet import sweep
    from probe.prober import check, check_blocking, handshake
    from probe.report import Report
    from probe.ssh.rules import Finding
    from probe.text import escape
    from probe.verdict import VERDICTS, State, Verdict
    from probe.waiting import wait_until_ready

__version__ = VERSION

__all__ = [
    "STAGES",
    "VERDICTS",
    "Budget",
    "Evidence",
    "Finding",
    "Report",
    "Stage",
    "StageTime",
    "State",
    "Verdict",
    "__version__",
    "check",
    "check_addresses",
    "check_blocking",
    "escape",
    "handshake",
    "sweep",
    "wait_until_ready",
]

_HOMES = {
    "probe.addresses": ("check_addresses",),
    "probe.budget": ("STAGES", "Budget", "Stage", "StageTime"),
    "probe.evidence": ("Evidence",),
    "probe.fleet": ("sweep",),
    "probe.prober": ("check", "check_blocking", "handshake"),
    "probe.report": ("Report",),
    "probe.ssh.rules": ("Finding",),
    "probe.text": ("escape",),
    "probe.verdict": ("VERDICTS", "State", "Verdict"),
    "probe.waiting": ("wait_until_ready",),
}


if not TYPE_CHECKING:  # a checker shall see no names but those above

    def __getattr__(name: str) -> object:
        for home, names in _HOMES.items():
            if name in names:
                value = globals()[name] = getattr(import_module(home), name)
                return value
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
