"""Calls of the library: text and bytes on their way in and out, errors that become exceptions, and
callbacks whose exceptions are not lost."""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import datetime
import os
import queue
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, Union

from ._errors import InvalidArgument, error_of
from ._library import library

ABSENT, TOO_SMALL = 1, 3

T = TypeVar("T")
# What gives its bytes through memoryview().
BytesLike = Union[bytes, bytearray, memoryview]
Folder = Union[str, "os.PathLike[str]"]


def check(code: int) -> int:
    """The answer, or its exception. To be asked on the thread that called."""
    if code < 0:
        raise error_of(code, library.quietus_last_error().decode("utf-8", "replace"))
    return code


def call(function: Callable[..., int], *arguments: Any) -> int:
    return check(function(*arguments))


# ---- what goes in -----------------------------------------------------------------------------


def text(value: str, what: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"{what} must be str, not {type(value).__name__}")
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{what} is not UTF-8") from None
    if b"\0" in encoded:
        raise InvalidArgument(f"{what} has a NUL in it")
    return encoded


def file_path(value: Folder, what: str) -> bytes:
    encoded = os.fsencode(value)
    if b"\0" in encoded:
        raise InvalidArgument(f"{what} has a NUL in it")
    return encoded


def text_array(values: Iterable[str], what: str) -> tuple[Any, int]:
    """Of one path too: a str is not taken for a list of letters."""
    if isinstance(values, str):
        values = (values,)
    encoded = [text(value, what) for value in values]
    return (ctypes.c_char_p * len(encoded))(*encoded), len(encoded)


def milliseconds(value: datetime.datetime, what: str) -> int:
    if not isinstance(value, datetime.datetime):
        raise TypeError(f"{what} must be datetime, not {type(value).__name__}")
    if value.tzinfo is None:
        raise InvalidArgument(f"{what} has no time zone")
    return (value - _EPOCH) // datetime.timedelta(milliseconds=1)


def number(value: int, most: int, what: str) -> int:
    """ctypes would cut off what does not fit."""
    if not 0 <= value <= most:
        raise InvalidArgument(f"{what} must be 0 to {most}")
    return value


class BytesIn:
    """Borrows bytes for a call, without a copy where that can be; wipes the copy."""

    def __init__(self, data: BytesLike) -> None:
        self._copy: bytearray | None = None
        if isinstance(data, bytes):
            self.pointer: Any = data
            self.size = len(data)
            return
        view = memoryview(data)
        self.size = view.nbytes
        if self.size == 0:
            self.pointer = None
            return
        if view.readonly or not view.c_contiguous:
            self._copy = bytearray(self.size)
            memoryview(self._copy)[:] = view.cast("B") if view.c_contiguous else view.tobytes()
            view = memoryview(self._copy)
        self.pointer = ctypes.byref(ctypes.c_char.from_buffer(view))

    def __enter__(self) -> BytesIn:
        return self

    def __exit__(self, *_: object) -> None:
        self.pointer = None
        if self._copy is not None:
            self._copy[:] = bytes(self.size)


# ---- what comes out ---------------------------------------------------------------------------

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def time_of(unix_ms: int) -> datetime.datetime | None:
    if unix_ms == 0:
        return None
    try:
        return _EPOCH + datetime.timedelta(milliseconds=unix_ms)
    except OverflowError:
        last = datetime.datetime.max if unix_ms > 0 else datetime.datetime.min
        return last.replace(tzinfo=datetime.timezone.utc)


def bytes_out(function: Callable[..., int], *arguments: Any, capacity: int = 4096) -> bytes | None:
    """What a function writes into a buffer, as large a one as it wants; None: there is none. The
    buffer is wiped."""
    while True:
        buffer = bytearray(max(capacity, 1))
        size = ctypes.c_size_t()
        first = ctypes.c_char.from_buffer(buffer)
        try:
            answer = call(function, *arguments, ctypes.byref(first), capacity, ctypes.byref(size))
            if answer == ABSENT:
                return None
            if answer != TOO_SMALL:
                return bytes(memoryview(buffer)[:size.value])
        finally:
            ctypes.memset(ctypes.byref(first), 0, len(buffer))
        capacity = max(size.value, capacity) + 1  # of text, a NUL is not counted


def text_out(function: Callable[..., int], *arguments: Any) -> bytes:
    written = bytes_out(function, *arguments, capacity=16384)
    assert written is not None  # texts are not answered with "absent"
    return written


# ---- callbacks --------------------------------------------------------------------------------
#
# Python handles signals on its main thread, at the first instruction that it runs there: after a call
# of C that takes long, this is the first of the callback, before any `try` in it. What a handler
# raises there (KeyboardInterrupt) ctypes can only print, and the library would be told to go on. So no
# callback runs on the main thread: calls that have one are made on a thread of their own.


def undisturbed(work: Callable[[], T]) -> T:
    """Runs it where no signal is handled. What a handler raises meanwhile comes out when it is done."""
    if threading.current_thread() is not threading.main_thread() or sys.is_finalizing():
        return work()
    results: list[T] = []
    errors: list[BaseException] = []
    done = _thread.allocate_lock()
    done.acquire()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again where it belongs
            errors.append(error)
        finally:
            done.release()

    try:
        _thread.start_new_thread(run, ())
    except RuntimeError:  # there can be no more threads
        return work()
    interrupted: BaseException | None = None
    while not results and not errors:
        try:
            done.acquire()
        except BaseException as error:
            interrupted = interrupted or error
    try:
        if interrupted is not None:
            raise interrupted
        if errors:
            raise errors[0]
        return results[0]
    finally:
        errors.clear()  # it holds this frame
        interrupted = None


def visited(function: Callable[..., int], before: tuple[Any, ...], kind: Any,
            visit: Callable[..., None], after: tuple[Any, ...] = ()) -> int:
    """Calls with a visitor that copies what it is shown."""
    errors: list[BaseException] = []

    def shown(_: object, *what: Any) -> int:
        try:
            visit(*what)
            return 0
        except BaseException as error:
            errors.append(error)
            return 1

    def work() -> int:
        callback = kind(shown)
        code = function(*before, callback, None, *after)
        if errors:
            raise errors.pop()
        return check(code)

    return undisturbed(work)


STOP = object()


def served(work: Callable[[Callable[[Any], Any]], int], serve: Callable[[Any], Any]) -> int:
    """Runs `work(ask)` on a thread of its own. Each `ask(request)` in it is answered by
    `serve(request)` here, on the thread that called; when that raises, `ask` gives STOP, and what was
    raised comes out when the work has ended."""
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    results: list[int] = []
    errors: list[BaseException] = []

    def ask(request: Any) -> Any:
        requests.put(request)
        return answers.get()

    def run() -> None:
        try:
            results.append(work(ask))
        except BaseException as error:
            errors.append(error)
        finally:
            requests.put(STOP)

    if sys.is_finalizing():
        raise RuntimeError("the interpreter ends: there is no thread to stream with")
    started = False
    try:
        _thread.start_new_thread(run, ())
        started = True
        while (request := requests.get()) is not STOP:
            answers.put(serve(request))
        if errors:
            raise errors[0]
        return results[0]
    except BaseException:
        # What was taken from the queue may be lost to a signal: it is not what says that work ended.
        while started and not results and not errors:
            answers.put(STOP)
            with contextlib.suppress(queue.Empty):
                requests.get(timeout=0.1)
        raise
    finally:
        errors.clear()  # it holds this frame


# ---- handles ----------------------------------------------------------------------------------


class Handle:
    """What was opened, until it is closed: by close(), at the end of `with`, or when nobody has it any
    more. Every call after that raises."""

    def __init__(self, number: int, close: Callable[[int], int]) -> None:
        self._handle = number
        self._close = weakref.finalize(self, close, number)

    def close(self) -> None:
        """A second time it does nothing."""
        self._close()

    @property
    def closed(self) -> bool:
        return not self._close.alive

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} belongs to its process and cannot be copied")

    def __repr__(self) -> str:
        return f"<quietus.{type(self).__name__}{' closed' if self.closed else ''}>"
