"""The version, which the package's metadata reads, too."""

from typing import Final

VERSION: Final = "0.5.0"
