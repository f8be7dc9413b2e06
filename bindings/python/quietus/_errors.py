"""One class of exception for each error of the library."""

from __future__ import annotations

__all__ = [
    "AlreadyExists", "Busy", "Changed", "Conflict", "Corrupt", "Erased", "ErasureIncomplete", "Error",
    "Full", "Held", "InternalError", "InvalidArgument", "IoError", "NotFound", "Refused", "Restricted",
    "RolledBack", "Unavailable", "Unsupported", "Unverified", "WrongKey",
]


class Error(Exception):
    """What the library refused, or could not do. The text says what, where, and what to do; it holds
    no secrets, contents or names."""

    code: int = 0  # as in quietus.h, negative


class InvalidArgument(Error):
    """The call itself is wrong; correct it."""

    code = -1


class NotFound(Error):
    """No such vault, scope or certificate."""

    code = -2


class Erased(Error):
    """It existed and was crypto-erased; final."""

    code = -3


class Restricted(Error):
    """Processing is restricted; nothing is lost."""

    code = -4


class Held(Error):
    """A legal hold is in the way."""

    code = -5


class Refused(Error):
    """Wrong state, or a guard stopped it."""

    code = -6


class AlreadyExists(Error):
    """The name is taken."""

    code = -7


class Conflict(Error):
    """Compare-and-set: somebody else wrote first."""

    code = -8


class WrongKey(Error):
    """The unlock secret is not the right one."""

    code = -9


class Corrupt(Error):
    """Stored bytes are damaged or were tampered with."""

    code = -10


class RolledBack(Error):
    """An older copy of the store was put back; nothing was touched."""

    code = -11


class Unverified(Error):
    """A certificate or log does not verify."""

    code = -12


class Busy(Error):
    """Somebody else holds it; try again."""

    code = -13


class Full(Error):
    """Disk or map exhausted; nothing was changed."""

    code = -14


class Unavailable(Error):
    """Cannot be reached now; a write may or may not have happened."""

    code = -15


class Unsupported(Error):
    """Of a newer version, or not offered here."""

    code = -16


class ErasureIncomplete(Error):
    """An erasure began, is recorded and will resume; never a success."""

    code = -17


class IoError(Error):
    """The operating system refused; the state is as before."""

    code = -18


class InternalError(Error):
    """A defect of the library, or no memory."""

    code = -19


class Changed(Error):
    """The record was replaced while it was read; read again."""

    code = -20


_BY_CODE = {kind.code: kind for kind in Error.__subclasses__()}


def error_of(code: int, message: str) -> Error:
    kind = _BY_CODE.get(code)
    if kind is not None:
        return kind(message)
    error = Error(message)  # of a later version of the library
    error.code = code
    return error
