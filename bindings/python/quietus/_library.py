"""The functions and structs of quietus.h."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from ctypes import (CFUNCTYPE, POINTER, Structure, c_char, c_char_p, c_int, c_int64, c_size_t, c_uint8,
                    c_uint32, c_uint64, c_void_p)

SONAME = "libquietus.so.0"


class RecordVersion(Structure):
    _fields_ = [("bytes", c_uint8 * 24)]


class _Sized(Structure):
    """Its first field is its size."""

    def __init__(self, **fields: object) -> None:
        super().__init__(size=ctypes.sizeof(type(self)), **fields)


class Unlock(_Sized):
    _fields_ = [("size", c_size_t), ("key_file", c_char_p), ("passphrase_file", c_char_p)]


class CreateOptions(_Sized):
    _fields_ = [("size", c_size_t), ("root_folder", c_char_p), ("insecure_root_in_vault", c_int),
                ("accept_unknown_medium", c_int)]


Notice = CFUNCTYPE(None, c_void_p, c_char_p)


class OpenOptions(_Sized):
    _fields_ = [("size", c_size_t), ("read_only", c_int), ("require_locked_memory", c_int),
                ("acknowledgement_timeout_ms", c_uint32), ("lock_timeout_ms", c_uint32),
                ("notice", Notice), ("notice_context", c_void_p)]


class StatusInfo(_Sized):
    _fields_ = [("size", c_size_t), ("vault_id", c_char * 33), ("assurance", c_char * 256),
                ("root_generation", c_uint64), ("tenants", c_uint64), ("log_size", c_uint64),
                ("certificates", c_uint64), ("pending_erasures", c_uint64), ("processes", c_uint32),
                ("read_only", c_int), ("key_memory_locked", c_int), ("last_backup_ms", c_int64)]


class CheckReport(_Sized):
    _fields_ = [("size", c_size_t), ("scopes", c_uint64), ("records", c_uint64), ("bytes", c_uint64),
                ("log_entries", c_uint64), ("damages", c_uint64)]


class ScopeOptions(_Sized):
    _fields_ = [("size", c_size_t), ("data_class", c_char_p), ("derived_from", POINTER(c_char_p)),
                ("derived_from_count", c_size_t)]


class ScopeInfo(_Sized):
    _fields_ = [("size", c_size_t), ("path", c_char_p), ("data_class", c_char_p), ("state", c_char_p),
                ("id", c_uint64), ("created_ms", c_int64), ("erased_ms", c_int64)]


class PutOptions(_Sized):
    _fields_ = [("size", c_size_t), ("content_type", c_char_p), ("expected", POINTER(RecordVersion)),
                ("must_be_new", c_int)]


class RecordInfo(_Sized):
    _fields_ = [("size", c_size_t), ("name", c_char_p), ("content_type", c_char_p), ("bytes", c_uint64),
                ("modified_ms", c_int64), ("version", RecordVersion)]


class Subject(Structure):
    _fields_ = [("scope_id", c_uint64), ("path", c_char_p), ("salt", c_char_p)]


class Erasure(_Sized):
    _fields_ = [("size", c_size_t), ("erasure_id", c_char_p), ("certificate_id", c_char_p),
                ("certificate", c_void_p), ("certificate_size", c_size_t),
                ("subjects", POINTER(Subject)), ("subject_count", c_size_t)]


class SweepOptions(_Sized):
    _fields_ = [("size", c_size_t), ("dry_run", c_int), ("max_scopes", c_uint64)]


class SweepReport(_Sized):
    _fields_ = [("size", c_size_t), ("scopes", c_uint64), ("limit", c_uint64), ("kept", c_uint64),
                ("holds_ended", c_uint64), ("terms_ended", c_uint64), ("keys_retired", c_uint64)]


class Verified(_Sized):
    _fields_ = [("size", c_size_t), ("certificate_id", c_char_p), ("vault_id", c_char_p),
                ("status", c_char_p), ("decided_by", c_char_p), ("reason", c_char_p),
                ("slot_destroyed_ms", c_int64), ("scope_ids", POINTER(c_uint64)),
                ("scope_count", c_size_t)]


Sink = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
Source = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t, POINTER(c_size_t))
DamageVisit = CFUNCTYPE(c_int, c_void_p, c_char_p, c_char_p)
ScopeVisit = CFUNCTYPE(c_int, c_void_p, POINTER(ScopeInfo))
RecordVisit = CFUNCTYPE(c_int, c_void_p, POINTER(RecordInfo))
ErasureVisit = CFUNCTYPE(c_int, c_void_p, POINTER(Erasure))
AppointmentVisit = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int64)
CertificateVisit = CFUNCTYPE(c_int, c_void_p, c_char_p, c_char_p, c_int64)
VerifiedVisit = CFUNCTYPE(c_int, c_void_p, POINTER(Verified))

_HANDLE, _NEW_HANDLE, _SIZE = c_void_p, POINTER(c_void_p), POINTER(c_size_t)
_PATHS = (POINTER(c_char_p), c_size_t)
_OUT = (c_void_p, c_size_t, _SIZE)  # a buffer, what it holds, what it was given

# What each takes; all of these return an answer.
_FUNCTIONS = {
    "new_key_file": (c_char_p,),
    "create": (c_char_p, POINTER(Unlock), POINTER(CreateOptions), _NEW_HANDLE),
    "open": (c_char_p, POINTER(Unlock), POINTER(OpenOptions), _NEW_HANDLE),
    "close": (_HANDLE,),
    "status": (_HANDLE, POINTER(StatusInfo)),
    "check": (_HANDLE, DamageVisit, c_void_p, POINTER(CheckReport)),
    "create_scope": (_HANDLE, c_char_p, POINTER(ScopeOptions), _NEW_HANDLE),
    "open_scope": (_HANDLE, c_char_p, _NEW_HANDLE),
    "open_restricted": (_HANDLE, c_char_p, c_char_p, _NEW_HANDLE),
    "close_scope": (_HANDLE,),
    "scope_id": (_HANDLE, POINTER(c_uint64)),
    "describe": (_HANDLE, c_char_p, ScopeVisit, c_void_p),
    "children": (_HANDLE, c_char_p, ScopeVisit, c_void_p),
    "put": (_HANDLE, c_char_p, c_void_p, c_size_t, POINTER(PutOptions), POINTER(RecordVersion)),
    "put_stream": (_HANDLE, c_char_p, Source, c_void_p, POINTER(PutOptions), POINTER(RecordVersion)),
    "get": (_HANDLE, c_char_p, *_OUT),
    "get_stream": (_HANDLE, c_char_p, Sink, c_void_p),
    "stat": (_HANDLE, c_char_p, RecordVisit, c_void_p),
    "remove": (_HANDLE, c_char_p, POINTER(RecordVersion)),
    "list": (_HANDLE, c_char_p, RecordVisit, c_void_p),
    "new_batch": (_NEW_HANDLE,),
    "batch_put": (_HANDLE, c_char_p, c_void_p, c_size_t, POINTER(PutOptions)),
    "batch_remove": (_HANDLE, c_char_p),
    "write": (_HANDLE, _HANDLE),
    "close_batch": (_HANDLE,),
    "seal": (_HANDLE, c_void_p, c_size_t, *_OUT),
    "unseal": (_HANDLE, c_void_p, c_size_t, *_OUT),
    "pseudonym": (_HANDLE, c_void_p, c_size_t, c_void_p),
    "erase": (_HANDLE, *_PATHS, c_char_p, ErasureVisit, c_void_p),
    "resume": (_HANDLE, ErasureVisit, c_void_p),
    "schedule_erasure": (_HANDLE, *_PATHS, c_char_p, AppointmentVisit, c_void_p),
    "cancel_erasure": (_HANDLE, *_PATHS),
    "apply_policy": (_HANDLE, c_char_p),
    "terminate": (_HANDLE, c_char_p, c_int64),
    "cancel_termination": (_HANDLE, c_char_p),
    "withdraw_consent": (_HANDLE, c_char_p, c_int64),
    "sweep": (_HANDLE, POINTER(SweepOptions), POINTER(SweepReport), ErasureVisit, c_void_p),
    "suspend": (_HANDLE, c_char_p, c_char_p),
    "unsuspend": (_HANDLE, c_char_p, c_char_p),
    "deactivate": (_HANDLE, c_char_p, c_char_p),
    "rotate": (_HANDLE, c_char_p, c_char_p),
    "purge": (_HANDLE, c_char_p, c_char_p),
    "place_hold": (_HANDLE, c_char_p, c_char_p, c_char_p, c_int64, c_char * 33),
    "release_hold": (_HANDLE, c_char_p),
    "certificates": (_HANDLE, CertificateVisit, c_void_p),
    "certificate": (_HANDLE, c_char_p, *_OUT),
    "certificate_of": (_HANDLE, c_char_p, *_OUT),
    "issuing_key_pem": (_HANDLE, *_OUT),
    "verify_certificate": (c_void_p, c_size_t, c_char_p, VerifiedVisit, c_void_p),
}


def _load() -> ctypes.CDLL:
    named = os.environ.get("QUIETUS_LIBRARY")
    if named:
        return ctypes.CDLL(named)
    try:
        return ctypes.CDLL(SONAME)
    except OSError:
        found = ctypes.util.find_library("quietus")
        if not found:
            raise
        return ctypes.CDLL(found)


def _declare(library: ctypes.CDLL) -> None:
    for name, takes in _FUNCTIONS.items():
        function = getattr(library, f"quietus_{name}")
        function.argtypes, function.restype = takes, c_int
    library.quietus_version.argtypes, library.quietus_version.restype = (), c_char_p
    library.quietus_last_error.argtypes, library.quietus_last_error.restype = (), c_char_p


try:
    library = _load()
    _declare(library)
except (OSError, AttributeError) as error:
    raise ImportError(f"no usable {SONAME} (set QUIETUS_LIBRARY to where it lies): {error}") from error
