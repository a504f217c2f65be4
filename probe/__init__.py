"""Ask an SSH server whether it is alive enough to begin a session, and always have an answer.

``check`` is the probe, ``handshake`` the same over a stream of yours, ``check_blocking`` the same
for code without trio; each returns a ``Report``. README.md shows all three.
"""

from probe.budget import STAGES, Budget, Stage, StageTime
from probe.evidence import Evidence
from probe.prober import check, check_blocking, handshake
from probe.report import Report
from probe.ssh.rules import Finding
from probe.text import escape
from probe.verdict import VERDICTS, State, Verdict
from probe.version import VERSION

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
    "check_blocking",
    "escape",
    "handshake",
]
