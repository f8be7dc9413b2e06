"""Quietus: a vault of encrypted records whose keys can be destroyed. See docs/python.md."""

from . import _library
from ._errors import *  # noqa: F403
from ._errors import __all__ as _errors
from ._scope import Batch, Scope
from ._types import (Appointment, CertificateInfo, CheckReport, Damage, Erasure, RecordInfo, ScopeInfo,
                     Status, Subject, SweepReport, Verified, Version)
from ._vault import Vault, new_key_file, verify_certificate

__version__: str = _library.library.quietus_version().decode()

__all__ = [
    *_errors, "Appointment", "Batch", "CertificateInfo", "CheckReport", "Damage", "Erasure", "RecordInfo",
    "Scope", "ScopeInfo", "Status", "Subject", "SweepReport", "Vault", "Verified", "Version",
    "new_key_file", "verify_certificate",
]
