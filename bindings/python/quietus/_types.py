"""What calls give back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ._errors import InvalidArgument


class Version(bytes):
    """Names the state of a record: changes with every write, never repeats. 24 bytes that may be kept
    anywhere."""

    def __new__(cls, value: bytes | bytearray | memoryview) -> Version:
        version = super().__new__(cls, memoryview(value))
        if len(version) != 24:
            raise InvalidArgument("a version has 24 bytes")
        return version

    def __repr__(self) -> str:
        return f"Version({self.hex()})"


@dataclass(frozen=True)
class RecordInfo:
    name: str
    size: int  # bytes
    content_type: str  # empty: none was given
    modified: datetime | None
    version: Version


@dataclass(frozen=True)
class ScopeInfo:
    path: str  # empty when erased: the name went with the key
    data_class: str
    state: str  # "active", "erased", "suspended", …
    id: str  # what logs and certificates call it: 16 hex digits
    created: datetime | None
    erased: datetime | None


@dataclass(frozen=True)
class Status:
    vault_id: str
    assurance: str  # of the root slots
    root_generation: int
    tenants: int
    log_size: int
    certificates: int
    pending_erasures: int
    processes: int  # with this vault open, this one included
    read_only: bool
    key_memory_locked: bool
    last_backup: datetime | None


@dataclass(frozen=True)
class Damage:
    where: str
    what: str


@dataclass(frozen=True)
class CheckReport:
    scopes: int
    records: int
    size: int  # bytes of content, authenticated
    log_entries: int
    damages: tuple[Damage, ...]


@dataclass(frozen=True)
class Subject:
    """What opens a certificate's commitment to whose scope it was. A tenant's is kept nowhere else."""

    scope_id: str
    path: str = field(repr=False)
    salt: str = field(repr=False)  # 64 hex digits


@dataclass(frozen=True)
class Erasure:
    erasure_id: str
    certificate_id: str
    certificate: bytes = field(repr=False)  # the signed document
    subjects: tuple[Subject, ...] = field(repr=False)


@dataclass(frozen=True)
class Appointment:
    """When an erasure that was asked for is made."""

    path: str
    when: datetime | None


@dataclass(frozen=True)
class SweepReport:
    scopes: int  # that ended, or would
    limit: int
    kept: int  # whose day has come: held, restricted, to be reviewed
    holds_ended: int
    terms_ended: int
    keys_retired: int
    erasures: tuple[Erasure, ...]


@dataclass(frozen=True)
class CertificateInfo:
    id: str
    status: str
    issued: datetime | None


@dataclass(frozen=True)
class Verified:
    certificate_id: str
    vault_id: str
    status: str  # "complete", "partial", "pending-snapshots"
    decided_by: str  # "single-user", "policy", "approval", "unknown"
    reason: str
    slot_destroyed: datetime | None
    scope_ids: tuple[str, ...]
