"""The data types of RFC 4251 §5 that a handshake needs, read and written."""

from struct import Struct
from typing import Final

UINT32: Final = Struct(">I")


class TruncatedError(ValueError):
    """The payload ends inside a field."""


class LengthBeyondError(TruncatedError):
    """The length of a string or name-list is beyond the octets that are left."""


class PayloadReader:
    """Takes fields off a payload, front to back."""

    __slots__ = ("_offset", "_payload")

    def __init__(self, payload: bytes, offset: int = 0) -> None:
        self._payload = payload
        self._offset = offset

    def left(self) -> int:
        """Octets that are not read yet."""
        return len(self._payload) - self._offset

    def take(self, count: int) -> bytes:
        """Read ``byte[count]``.

        Raises:
            TruncatedError: Fewer octets are left.
        """
        begin, end = self._offset, self._offset + count
        if end > len(self._payload):
            raise TruncatedError
        self._offset = end
        return self._payload[begin:end]

    def byte(self) -> int:
        """Read ``byte``, which is a ``boolean`` too. Raises ``TruncatedError``."""
        return self.take(1)[0]

    def uint32(self) -> int:
        """Read ``uint32``. Raises ``TruncatedError``."""
        value: int
        (value,) = UINT32.unpack(self.take(4))
        return value

    def string(self) -> bytes:
        """Read ``string``.

        Raises:
            TruncatedError: The length field is not whole.
            LengthBeyondError: The length is beyond the octets that are left.
        """
        length = self.uint32()
        if length > self.left():
            message = f"{length} octets claimed, {self.left()} left"
            raise LengthBeyondError(message)
        return self.take(length)

    def name_list(self) -> tuple[bytes, ...]:
        """Read ``name-list``; names are as they came, good or bad. Raises like ``string``."""
        names = self.string()
        return tuple(names.split(b",")) if names else ()


def encode_string(octets: bytes) -> bytes:
    """Write ``string``."""
    return UINT32.pack(len(octets)) + octets


def encode_name_list(names: tuple[bytes, ...]) -> bytes:
    """Write ``name-list``."""
    return encode_string(b",".join(names))
