"""``python -m probe`` is ``sshprobe``."""

import sys

from probe.cli import main

sys.exit(main())
