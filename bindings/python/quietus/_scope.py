"""Records of a scope."""

from __future__ import annotations

import ctypes
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from . import _library as c
from ._calls import (ABSENT, STOP, BytesIn, BytesLike, Handle, bytes_out, call, check, served, text, time_of,
                     visited)
from ._library import library
from ._types import RecordInfo, Version

if TYPE_CHECKING:
    from ._vault import Vault

_CHUNK = 1 << 18
_Records = list[RecordInfo]  # where `list` is the method


class Reader(Protocol):
    def read(self, size: int, /) -> bytes | bytearray | memoryview | None: ...


class Writer(Protocol):
    def write(self, data: bytes, /) -> Any: ...


def _version_in(version: bytes | None) -> Any:
    if version is None:
        return None
    return ctypes.pointer(c.RecordVersion.from_buffer_copy(Version(version)))


def _put_options(content_type: str | None, expected: bytes | None, must_be_new: bool) -> Any:
    kind = None if content_type is None else text(content_type, "the content type")
    return ctypes.byref(c.PutOptions(content_type=kind, expected=_version_in(expected),
                                     must_be_new=bool(must_be_new)))


def _record(info: Any) -> RecordInfo:
    found = info.contents
    return RecordInfo(found.name.decode(), found.bytes, found.content_type.decode(),
                      time_of(found.modified_ms), Version(bytes(found.version)))


def _write_all(file: Writer, data: bytes) -> None:
    """An unbuffered file may take less than it is given."""
    while data:
        took = file.write(data)
        if not isinstance(took, int) or took >= len(data):
            return
        if took <= 0:
            raise BlockingIOError("the file takes nothing")
        data = data[took:]


class Batch(Handle):
    """Several writes that happen together or not at all: when a `with` ends without an exception."""

    def __init__(self, scope: Scope) -> None:
        made = ctypes.c_void_p()
        call(library.quietus_new_batch, ctypes.byref(made))
        super().__init__(made.value or 0, library.quietus_close_batch)
        self._scope = scope

    def put(self, name: str, data: BytesLike, *, content_type: str | None = None,
            expected: bytes | None = None, must_be_new: bool = False) -> None:
        with BytesIn(data) as content:
            call(library.quietus_batch_put, self._handle, text(name, "the name"), content.pointer,
                 content.size, _put_options(content_type, expected, must_be_new))

    def remove(self, name: str) -> None:
        call(library.quietus_batch_remove, self._handle, text(name, "the name"))

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        try:
            if kind is None:
                call(library.quietus_write, self._scope._handle, self._handle)
        finally:
            self.close()


class Scope(Handle):
    """Made by Vault.scope() and Vault.create_scope(). May be used from any thread."""

    def __init__(self, vault: Vault, handle: int) -> None:
        super().__init__(handle, library.quietus_close_scope)
        self._vault = vault  # which must not be closed because nobody else has it

    def __enter__(self) -> Scope:
        return self

    @property
    def id(self) -> str:
        """What logs and certificates call it: 16 hex digits."""
        found = ctypes.c_uint64()
        call(library.quietus_scope_id, self._handle, ctypes.byref(found))
        return f"{found.value:016x}"

    def put(self, name: str, data: BytesLike, *, content_type: str | None = None,
            expected: bytes | None = None, must_be_new: bool = False) -> Version:
        """Stores a record, or replaces it. Durable on return. Conflict: it has not the version that
        was `expected`, or is there and `must_be_new`."""
        version = c.RecordVersion()
        with BytesIn(data) as content:
            call(library.quietus_put, self._handle, text(name, "the name"), content.pointer,
                 content.size, _put_options(content_type, expected, must_be_new),
                 ctypes.byref(version))
        return Version(bytes(version))

    def get(self, name: str) -> bytes | None:
        """None: there is no such record."""
        return bytes_out(library.quietus_get, self._handle, text(name, "the name"))

    def put_stream(self, name: str, file: Reader, *, content_type: str | None = None,
                   expected: bytes | None = None, must_be_new: bool = False) -> Version:
        """Stores what `file.read(size)` gives until it gives nothing, in constant memory. What it
        raises comes out, and nothing was stored."""
        called = text(name, "the name")
        options = _put_options(content_type, expected, must_be_new)
        version = c.RecordVersion()

        def work(ask: Any) -> int:
            chunk, at = b"", 0
            errors: list[BaseException] = []

            def source(_: object, data: int, capacity: int, size: Any) -> int:
                nonlocal chunk, at
                try:
                    if at == len(chunk):
                        got = ask(None)
                        if got is STOP:
                            return 1
                        chunk, at = got, 0
                    piece = chunk[at:at + capacity]
                    ctypes.memmove(data, piece, len(piece))
                    at += len(piece)
                    size[0] = len(piece)
                    return 0
                except BaseException as error:
                    errors.append(error)
                    return 1

            code = library.quietus_put_stream(self._handle, called, c.Source(source), None, options,
                                              ctypes.byref(version))
            if errors:
                raise errors.pop()
            return check(code)

        def serve(_: object) -> bytes:
            got = file.read(_CHUNK)
            if got is None:
                raise BlockingIOError("the file has nothing to read now")
            return got if isinstance(got, bytes) else bytes(memoryview(got))

        served(work, serve)
        return Version(bytes(version))

    def get_stream(self, name: str, file: Writer) -> bool:
        """Gives the content to `file.write(data)`, in constant memory; False: there is no such
        record. What it raises comes out. After an exception the file holds the beginning only."""
        called = text(name, "the name")

        def work(ask: Any) -> int:
            errors: list[BaseException] = []

            def sink(_: object, data: int | None, size: int) -> int:
                try:
                    if not size:
                        return 0
                    return 1 if ask(ctypes.string_at(data or 0, size)) is STOP else 0
                except BaseException as error:
                    errors.append(error)
                    return 1

            code = library.quietus_get_stream(self._handle, called, c.Sink(sink), None)
            if errors:
                raise errors.pop()
            return check(code)

        return served(work, lambda data: _write_all(file, data)) != ABSENT

    def stat(self, name: str) -> RecordInfo | None:
        """None: there is no such record."""
        found: list[RecordInfo] = []
        visited(library.quietus_stat, (self._handle, text(name, "the name")), c.RecordVisit,
                lambda info: found.append(_record(info)))
        return found[0] if found else None

    def remove(self, name: str, *, expected: bytes | None = None) -> bool:
        """False: there was no such record. Durable on return."""
        return call(library.quietus_remove, self._handle, text(name, "the name"),
                    _version_in(expected)) != ABSENT

    def list(self, prefix: str = "") -> _Records:
        """Every record whose name begins so, in no order."""
        found: list[RecordInfo] = []
        visited(library.quietus_list, (self._handle, text(prefix, "the prefix")), c.RecordVisit,
                lambda info: found.append(_record(info)))
        return found

    def batch(self) -> Batch:
        """with scope.batch() as batch: batch.put(…); batch.remove(…)"""
        return Batch(self)

    def seal(self, data: BytesLike) -> bytes:
        """A token with the data in it, to be kept elsewhere; unrecoverable once the scope is erased."""
        with BytesIn(data) as content:
            token = bytes_out(library.quietus_seal, self._handle, content.pointer, content.size,
                              capacity=content.size + content.size // 1024 + 256)
        assert token is not None
        return token

    def open(self, token: BytesLike) -> bytes:
        """InvalidArgument: no token; Refused: of another vault or scope; Corrupt."""
        with BytesIn(token) as sealed:
            data = bytes_out(library.quietus_unseal, self._handle, sealed.pointer, sealed.size,
                             capacity=sealed.size)
        assert data is not None
        return data

    def pseudonym(self, value: BytesLike) -> bytes:
        """16 bytes that stand for a value: the same for the same value, for ever; others in every
        scope."""
        made = (ctypes.c_uint8 * 16)()
        with BytesIn(value) as content:
            call(library.quietus_pseudonym, self._handle, content.pointer, content.size, made)
        return bytes(made)
