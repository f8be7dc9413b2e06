"""Vaults, the end of data, evidence."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from . import _library as c
from ._calls import (BytesIn, BytesLike, Folder, Handle, call, file_path, milliseconds, number, text,
                     text_array, text_out, time_of, undisturbed, visited)
from ._errors import InvalidArgument
from ._library import library
from ._scope import Scope
from ._types import (Appointment, CertificateInfo, CheckReport, Damage, Erasure, ScopeInfo, Status,
                     Subject, SweepReport, Verified)


def new_key_file(path: Folder) -> None:
    """Makes a key file of 256 random bits that only its owner may read. Durable on return."""
    call(library.quietus_new_key_file, file_path(path, "the path"))


def verify_certificate(certificate: BytesLike, issuer_pem: str) -> Verified:
    """Needs no vault and no network. Unverified says what does not hold."""
    found: list[Verified] = []

    def visit(shown: Any) -> None:
        one = shown.contents
        found.append(Verified(one.certificate_id.decode(), one.vault_id.decode(), one.status.decode(),
                              one.decided_by.decode(), one.reason.decode(),
                              time_of(one.slot_destroyed_ms),
                              tuple(_hex(one.scope_ids[i]) for i in range(one.scope_count))))

    with BytesIn(certificate) as content:
        visited(library.quietus_verify_certificate,
                (content.pointer, content.size, text(issuer_pem, "the issuer's key")),
                c.VerifiedVisit, visit)
    return found[0]


def _hex(scope_id: int) -> str:
    return f"{scope_id:016x}"


def _unlock(key_file: Folder | None, passphrase_file: Folder | None) -> Any:
    return ctypes.byref(c.Unlock(
        key_file=None if key_file is None else file_path(key_file, "the key file"),
        passphrase_file=None if passphrase_file is None else
        file_path(passphrase_file, "the passphrase file")))


def _timeout(seconds: float | None, what: str) -> int:
    """0 is the default of the library."""
    return 0 if seconds is None else number(max(1, round(seconds * 1000)), 2**32 - 1, what)


def _scope_info(shown: Any) -> ScopeInfo:
    one = shown.contents
    return ScopeInfo(one.path.decode(), one.data_class.decode(), one.state.decode(), _hex(one.id),
                     time_of(one.created_ms), time_of(one.erased_ms))


def _erasure(shown: Any) -> Erasure:
    one = shown.contents
    subjects = (one.subjects[i] for i in range(one.subject_count))
    return Erasure(one.erasure_id.decode(), one.certificate_id.decode(),
                   ctypes.string_at(one.certificate, one.certificate_size),
                   tuple(Subject(_hex(each.scope_id), each.path.decode(), each.salt.decode())
                         for each in subjects))


class Vault(Handle):
    """One folder with encrypted records. Made by create() and open(). May be used from any thread. A
    process opens a vault once; after os.fork() it is the parent's only."""

    @classmethod
    def create(cls, folder: Folder, *, key_file: Folder | None = None,
               passphrase_file: Folder | None = None, root_folder: Folder | None = None,
               insecure_root_in_vault: bool = False, accept_unknown_medium: bool = False) -> Vault:
        """Makes a vault in a folder that is absent or empty. Durable on return."""
        options = c.CreateOptions(
            root_folder=None if root_folder is None else file_path(root_folder, "the root folder"),
            insecure_root_in_vault=bool(insecure_root_in_vault),
            accept_unknown_medium=bool(accept_unknown_medium))
        return cls._made(library.quietus_create, folder, _unlock(key_file, passphrase_file), options)

    @classmethod
    def open(cls, folder: Folder, *, key_file: Folder | None = None,
             passphrase_file: Folder | None = None, read_only: bool = False,
             require_locked_memory: bool = False, acknowledgement_timeout: float | None = None,
             lock_timeout: float | None = None) -> Vault:
        """Opens a vault, and first finishes any erasure that was interrupted. Timeouts are in
        seconds. What it does or finds besides, the logger "quietus" is told."""
        lines: list[bytes] = []
        options = c.OpenOptions(
            read_only=bool(read_only), require_locked_memory=bool(require_locked_memory),
            acknowledgement_timeout_ms=_timeout(acknowledgement_timeout, "the timeout"),
            lock_timeout_ms=_timeout(lock_timeout, "the timeout"),
            notice=c.Notice(lambda _, line: lines.append(line)))
        unlock = _unlock(key_file, passphrase_file)
        try:
            return undisturbed(lambda: cls._made(library.quietus_open, folder, unlock, options))
        finally:
            for line in lines:
                logging.getLogger("quietus").warning("%s", line.decode("utf-8", "replace"))

    @classmethod
    def _made(cls, function: Callable[..., int], folder: Folder, unlock: Any, options: Any) -> Vault:
        handle = ctypes.c_void_p()
        call(function, file_path(folder, "the folder"), unlock, ctypes.byref(options),
             ctypes.byref(handle))
        return cls(handle.value or 0, library.quietus_close)

    def __enter__(self) -> Vault:
        return self

    # ---- scopes -------------------------------------------------------------------------------

    def create_scope(self, path: str, data_class: str | None = None,
                     derived_from: Iterable[str] = ()) -> Scope:
        """The parent must exist. It dies with any of those that it was derived from. Durable on
        return."""
        sources, count = text_array(derived_from, "a path of derived_from")
        options = c.ScopeOptions(
            data_class=None if data_class is None else text(data_class, "the data class"),
            derived_from=sources, derived_from_count=count)
        return self._scope(library.quietus_create_scope, path, ctypes.byref(options))

    def scope(self, path: str, use: str | None = None) -> Scope:
        """With `use` also of a restricted scope, for what the law allows: "consent", "legal-claims",
        "rights-of-others", "public-interest". Each call through it is logged."""
        if use is None:
            return self._scope(library.quietus_open_scope, path)
        return self._scope(library.quietus_open_restricted, path, text(use, "the use"))

    def _scope(self, function: Callable[..., int], path: str, *how: Any) -> Scope:
        handle = ctypes.c_void_p()
        call(function, self._handle, text(path, "the path"), *how, ctypes.byref(handle))
        return Scope(self, handle.value or 0)

    def describe(self, path: str) -> ScopeInfo:
        return self._infos(library.quietus_describe, path)[0]

    def children(self, path: str = "") -> list[ScopeInfo]:
        """Those directly below; tenants for "". Erased ones have no name any more."""
        return self._infos(library.quietus_children, path)

    def _infos(self, function: Callable[..., int], path: str) -> list[ScopeInfo]:
        found: list[ScopeInfo] = []
        visited(function, (self._handle, text(path, "the path")), c.ScopeVisit,
                lambda shown: found.append(_scope_info(shown)))
        return found

    # ---- the end of data ----------------------------------------------------------------------

    def erase(self, paths: str | Iterable[str], reason: str) -> Erasure:
        """Destroys the keys of the scopes and certifies it. `reason` is a code ("contract-ended",
        "deletion-request", …) or free text. ErasureIncomplete: begun and recorded, it will resume.
        After Unavailable and InternalError
        look at status(); after any other exception of this package nothing was destroyed."""
        return self._erasures(library.quietus_erase, *text_array(paths, "a path"),
                              text(reason, "the reason"))[0]

    def resume(self) -> list[Erasure]:
        """Finishes erasures that are pending."""
        return self._erasures(library.quietus_resume)

    def _erasures(self, function: Callable[..., int], *arguments: Any) -> list[Erasure]:
        made: list[Erasure] = []
        visited(function, (self._handle, *arguments), c.ErasureVisit,
                lambda shown: made.append(_erasure(shown)))
        return made

    def schedule_erasure(self, paths: str | Iterable[str], reason: str) -> list[Appointment]:
        """Restricts the scopes at once; a sweep destroys their keys after the grace of their class."""
        made: list[Appointment] = []
        visited(library.quietus_schedule_erasure,
                (self._handle, *text_array(paths, "a path"), text(reason, "the reason")),
                c.AppointmentVisit,
                lambda path, when_ms: made.append(Appointment(path.decode(), time_of(when_ms))))
        return made

    def cancel_erasure(self, paths: str | Iterable[str]) -> None:
        call(library.quietus_cancel_erasure, self._handle, *text_array(paths, "a path"))

    def apply_policy(self, toml: str) -> None:
        """A new retention policy. InvalidArgument names the line."""
        call(library.quietus_apply_policy, self._handle, text(toml, "the policy"))

    def terminate(self, path: str, effective: datetime) -> None:
        """The agreement ends then: from that day on nothing is written, and rules count from it."""
        call(library.quietus_terminate, self._handle, text(path, "the path"),
             milliseconds(effective, "the day"))

    def cancel_termination(self, path: str) -> None:
        call(library.quietus_cancel_termination, self._handle, text(path, "the path"))

    def withdraw_consent(self, path: str, when: datetime) -> None:
        call(library.quietus_withdraw_consent, self._handle, text(path, "the path"),
             milliseconds(when, "the day"))

    def sweep(self, *, dry_run: bool = False, max_scopes: int | None = None) -> SweepReport:
        """Erases what is due by the policy; at most `max_scopes`, else Refused. None: 1,000 or a tenth
        of all, whichever is less, and 10 always."""
        if max_scopes is not None and max_scopes < 1:
            raise InvalidArgument("max_scopes must be at least 1")
        options = c.SweepOptions(dry_run=bool(dry_run), max_scopes=number(
            0 if max_scopes is None else max_scopes, 2**64 - 1, "max_scopes"))
        report = c.SweepReport()
        made = self._erasures(library.quietus_sweep, ctypes.byref(options), ctypes.byref(report))
        return SweepReport(report.scopes, report.limit, report.kept, report.holds_ended,
                           report.terms_ended, report.keys_retired, tuple(made))

    # ---- keys and holds -----------------------------------------------------------------------

    def suspend(self, path: str, reason: str) -> None:
        """Restricts processing: reads and writes raise Restricted."""
        self._change(library.quietus_suspend, path, reason)

    def unsuspend(self, path: str, reason: str) -> None:
        self._change(library.quietus_unsuspend, path, reason)

    def deactivate(self, path: str, reason: str) -> None:
        """Ends writing; reads go on."""
        self._change(library.quietus_deactivate, path, reason)

    def rotate(self, path: str, reason: str) -> None:
        """A new key, beside reads and writes; the old one stays until nothing needs it."""
        self._change(library.quietus_rotate, path, reason)

    def purge(self, path: str, reason: str) -> None:
        """A new key, and the old one is destroyed: what was removed or replaced is unrecoverable."""
        self._change(library.quietus_purge, path, reason)

    def _change(self, function: Callable[..., int], path: str, reason: str) -> None:
        call(function, self._handle, text(path, "the path"), text(reason, "the reason"))

    def hold(self, path: str, reason: str, *, authority: str | None = None,
             until: datetime | None = None) -> str:
        """Keeps the scope and all below from being erased, overwritten or removed; the id of the
        hold. `authority` is sealed. Without `until` it lasts until it is released."""
        made = (ctypes.c_char * 33)()
        call(library.quietus_place_hold, self._handle, text(path, "the path"),
             text(reason, "the reason"),
             None if authority is None else text(authority, "the authority"),
             0 if until is None else milliseconds(until, "the day"), made)
        return made.value.decode()

    def release(self, hold: str) -> None:
        call(library.quietus_release_hold, self._handle, text(hold, "the id"))

    # ---- evidence -----------------------------------------------------------------------------

    def certificates(self) -> list[CertificateInfo]:
        found: list[CertificateInfo] = []
        visited(library.quietus_certificates, (self._handle,), c.CertificateVisit,
                lambda id_, status, issued_ms: found.append(
                    CertificateInfo(id_.decode(), status.decode(), time_of(issued_ms))))
        return found

    def certificate(self, certificate_id: str) -> bytes:
        return text_out(library.quietus_certificate, self._handle, text(certificate_id, "the id"))

    def certificate_of(self, scope: str) -> bytes:
        """Of an erased scope, by its path or its id of 16 digits."""
        return text_out(library.quietus_certificate_of, self._handle, text(scope, "the scope"))

    def issuing_key_pem(self) -> str:
        """The public key that certificates verify against."""
        return text_out(library.quietus_issuing_key_pem, self._handle).decode()

    def status(self) -> Status:
        info = c.StatusInfo()
        call(library.quietus_status, self._handle, ctypes.byref(info))
        return Status(info.vault_id.decode(), info.assurance.decode("utf-8", "replace"),
                      info.root_generation, info.tenants, info.log_size, info.certificates,
                      info.pending_erasures, info.processes, bool(info.read_only),
                      bool(info.key_memory_locked), time_of(info.last_backup_ms))

    def check(self) -> CheckReport:
        """Authenticates every stored byte; does not stop at the first damage."""
        damages: list[Damage] = []
        report = c.CheckReport()
        visited(library.quietus_check, (self._handle,), c.DamageVisit,
                lambda where, what: damages.append(Damage(where.decode("utf-8", "replace"),
                                                          what.decode("utf-8", "replace"))),
                (ctypes.byref(report),))
        return CheckReport(report.scopes, report.records, report.bytes, report.log_entries,
                           tuple(damages))
