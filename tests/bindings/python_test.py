#!/usr/bin/env python3
"""What is Python's own in its binding: with and garbage collection, threads, signals, files, wrong types,
exceptions in callbacks, installing it.

usage: python_test.py LIBRARY
"""

import copy
import datetime
import gc
import io
import logging
import os
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from binding import LIBRARY, PACKAGE, ROOT, Place, quietus

UTC = datetime.timezone.utc
# It keeps what was freed for a while, and has to be loaded first into every program.
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")


class WithVault(unittest.TestCase):
    def setUp(self):
        self.place = Place()
        self.addCleanup(self.place.__exit__)
        self.vault = self.place.vault
        self.scope = self.vault.create_scope("acme")


class Closing(WithVault):
    def test_with_closes_vault_and_scope(self):
        self.vault.close()
        with self.place.open() as vault:
            with vault.scope("acme") as scope:
                scope.put("x", b"1")
                self.assertFalse(scope.closed)
            self.assertTrue(scope.closed)
            with self.assertRaises(quietus.InvalidArgument):
                scope.get("x")
        self.assertTrue(vault.closed)
        with self.assertRaises(quietus.InvalidArgument):
            vault.status()

    def test_with_lets_exceptions_out(self):
        with self.assertRaises(ZeroDivisionError), self.vault as vault:
            raise ZeroDivisionError
        self.assertTrue(vault.closed)

    def test_scopes_of_a_closed_vault_are_unavailable(self):
        self.vault.close()
        with self.assertRaises(quietus.Unavailable):
            self.scope.get("x")
        with self.assertRaises(quietus.Unavailable):
            self.scope.put_stream("x", io.BytesIO(b"1"))
        self.scope.close()

    def test_closing_twice_does_nothing(self):
        for _ in range(2):
            self.scope.close()
            self.vault.close()
        batch_of = self.place.open().create_scope("other")
        batch = batch_of.batch()
        batch.close()
        batch.close()
        with self.assertRaises(quietus.InvalidArgument):
            batch.put("x", b"1")

    def test_what_nobody_has_is_closed(self):
        self.scope.close()
        del self.scope, self.vault, self.place.vault
        gc.collect()
        self.place.vault = self.place.open()  # Busy, if it were open

    def test_a_scope_keeps_its_vault_open(self):
        self.vault.close()
        scope = self.place.open().scope("acme")
        gc.collect()
        scope.put("x", b"1")
        self.assertEqual(scope.get("x"), b"1")
        del scope
        gc.collect()
        self.place.open().close()

    def test_handles_are_not_copied(self):
        for handle in (self.vault, self.scope):
            for action in (copy.copy, copy.deepcopy, pickle.dumps):
                with self.assertRaises(TypeError):
                    action(handle)

    def test_a_child_has_no_vault_and_disturbs_none(self):
        self.scope.put("x", b"1")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                signal.alarm(20)  # rather than to wait for ever
                try:
                    self.scope.get("x")
                except quietus.Unavailable:
                    code = 0
                self.scope.close()
                self.vault.close()
            finally:
                os._exit(code)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.scope.put("x", b"2")
        self.assertEqual(self.vault.status().processes, 1)
        with self.assertRaises(quietus.Busy):
            self.place.open()
        self.vault.erase("acme", "test")

    def test_the_interpreter_ends_with_all_open(self):
        code = ("import sys, quietus\n"
                "vault = quietus.Vault.open(sys.argv[1], key_file=sys.argv[2])\n"
                "scope = vault.scope('acme'); scope.put('y', b'2')\n"
                "class Late:\n"
                "    def __del__(self):\n"
                "        try: scope.list()\n"
                "        except quietus.InvalidArgument: pass\n"
                "late = Late()\n")
        self.vault.close()
        subprocess.run([sys.executable, "-c", code, self.place.folder / "vault", self.place.key],
                       check=True, timeout=60, env=os.environ | {"PYTHONPATH": str(PACKAGE)})
        self.assertEqual(self.place.open().scope("acme").get("y"), b"2")


class Notices(WithVault):
    def test_an_open_tells_the_logger(self):
        """A reader whose process was killed is found, and cleared, by the next open."""
        self.vault.close()
        def reader():
            process = subprocess.Popen([sys.executable, "-c", (
                "import sys, time, quietus\n"
                "vault = quietus.Vault.open(sys.argv[1], key_file=sys.argv[2])\n"
                "vault.scope('acme').get('x')\n"
                "print('ready', flush=True)\n"
                "time.sleep(600)\n"), self.place.folder / "vault", self.place.key],
                env=os.environ | {"PYTHONPATH": str(PACKAGE)}, stdout=subprocess.PIPE)
            self.addCleanup(process.communicate)
            self.addCleanup(process.kill)
            self.assertEqual(b"ready\n", process.stdout.readline())
            return process

        reader()  # who opens alone begins with an empty table
        killed = reader()
        killed.kill()
        killed.wait()
        with self.assertLogs("quietus", logging.WARNING) as logged:
            self.place.vault = self.place.open()
        self.assertTrue([line for line in logged.output if "ended without closing" in line], logged.output)


class Batches(WithVault):
    def test_nothing_is_written_after_an_exception(self):
        with self.assertRaises(ZeroDivisionError), self.scope.batch() as batch:
            batch.put("x", b"1")
            raise ZeroDivisionError
        self.assertIsNone(self.scope.get("x"))
        with self.assertRaises(quietus.InvalidArgument):
            batch.put("x", b"1")

    def test_values_are_copied_in(self):
        value = bytearray(b"before")
        with self.scope.batch() as batch:
            batch.put("x", value)
            value[:] = b"after!"
        self.assertEqual(self.scope.get("x"), b"before")


class Threads(WithVault):
    def test_eight_threads_on_one_scope(self):
        errors = []

        def work(number):
            try:
                for i in range(20):
                    value = f"{number}:{i}".encode() * (1 if i % 5 else 2000)
                    self.scope.put(f"{number}/{i}", value)
                    self.assertEqual(self.scope.get(f"{number}/{i}"), value)
                    if i % 7 == 0:
                        out = io.BytesIO()
                        self.scope.put_stream(f"{number}/stream", io.BytesIO(value))
                        self.scope.get_stream(f"{number}/stream", out)
                        self.assertEqual(out.getvalue(), value)
                    try:
                        self.scope.get("a//b")
                    except quietus.InvalidArgument as error:
                        self.assertIn("record name", str(error))
                self.assertEqual(len(self.scope.list(f"{number}/")), 21)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])

    def test_others_run_while_the_library_works(self):
        """A source that waits for another thread would wait for ever if that could not run."""
        turn = threading.Event()

        class Waiting:
            def read(self, size):
                if turn.is_set():
                    return b""
                threading.Thread(target=turn.set).start()
                turn.wait(10)
                return b"x"

        self.scope.put_stream("x", Waiting())
        self.assertEqual(self.scope.get("x"), b"x")

    def test_closing_while_others_read(self):
        stop = threading.Event()
        errors = []

        def read():
            while not stop.is_set():
                try:
                    self.scope.get("x")
                    self.scope.list()
                except (quietus.Unavailable, quietus.InvalidArgument):
                    return
                except BaseException as error:
                    errors.append(error)
                    return

        self.scope.put("x", b"1")
        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        self.vault.close()
        for thread in threads:
            thread.join(30)
            self.assertFalse(thread.is_alive())
        stop.set()
        self.assertEqual(errors, [])


class Signals(WithVault):
    """What a handler raises comes out, wherever the signal arrives, and nothing half done is taken for
    done."""

    def setUp(self):
        super().setUp()
        self.addCleanup(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, self.raising))
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)

    @staticmethod
    def raising(*_):
        raise InterruptedError("by a signal")

    def test_a_stream_that_is_interrupted_stores_nothing(self):
        self.scope.put("x", b"before")

        class Endless:
            def read(self, size):
                return bytes(size)

        for delay in (0.01, 0.02, 0.03, 0.05, 0.08):
            with self.assertRaises(InterruptedError):
                signal.setitimer(signal.ITIMER_REAL, delay)
                self.scope.put_stream("x", Endless())
            self.assertEqual(self.scope.get("x"), b"before")

    def test_a_source_that_says_nothing_is_no_end(self):
        """What ctypes answers for a callback that could not begin."""
        import ctypes
        from quietus import _library as c
        self.scope.put("x", b"before")
        source = c.Source(lambda *_: 0)
        self.assertEqual(c.library.quietus_put_stream(self.scope._handle, b"x", source, None, None,
                                                      ctypes.byref(c.RecordVersion())), -1)
        self.assertEqual(self.scope.get("x"), b"before")

    def test_reading_is_interrupted(self):
        self.scope.put_stream("x", io.BytesIO(bytes(20 << 20)))

        class Nowhere:
            def write(self, data):
                return len(data)

        with self.assertRaises(InterruptedError):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            while True:
                self.scope.get_stream("x", Nowhere())

    def test_no_list_is_cut_short(self):
        with self.scope.batch() as batch:
            for i in range(300):
                batch.put(str(i), b"x")
        interrupted = 0
        for i in range(150):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + i * 0.00005)
                self.assertEqual(len(self.scope.list()), 300)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except InterruptedError:
                interrupted += 1
        self.assertGreater(interrupted, 0)

    def test_an_erasure_is_done_when_the_exception_comes(self):
        self.scope.put("x", b"1")
        for attempt in range(1, 1000):  # the first signals may come before the call has begun
            try:
                signal.setitimer(signal.ITIMER_REAL, attempt * 0.0003)
                self.vault.erase("acme", "test")
                signal.setitimer(signal.ITIMER_REAL, 0)
            except InterruptedError:
                pass
            except quietus.Erased:
                signal.setitimer(signal.ITIMER_REAL, 0)
            if self.vault.certificates():
                break
            self.assertEqual(b"1", self.scope.get("x"))  # all or nothing
        with self.assertRaises(quietus.Erased):
            self.scope.get("x")
        self.assertEqual(len(self.vault.certificates()), 1)


class Streams(WithVault):
    def test_what_a_file_raises_comes_out(self):
        self.scope.put("x", b"before")

        class Broken:
            def __init__(self, error, after=0):
                self.error, self.after = error, after

            def read(self, size):
                self.after -= 1
                if self.after < 0:
                    raise self.error
                return b"x" * size

            def write(self, data):
                self.read(0)

        for error in (OSError(28, "No space left on device"), KeyboardInterrupt(), SystemExit(3)):
            for after in (0, 1, 5):
                with self.assertRaises(type(error)) as raised:
                    self.scope.put_stream("x", Broken(error, after))
                self.assertIs(raised.exception, error)
        self.assertEqual(self.scope.get("x"), b"before")
        self.scope.put("long", bytes(2 << 20))
        for after in (0, 1):
            with self.assertRaises(OSError) as raised:
                self.scope.get_stream("long", Broken(error := OSError("no"), after))
            self.assertIs(raised.exception, error)

    def test_files_that_give_no_bytes(self):
        class Giving:
            def __init__(self, what):
                self.what = what

            def read(self, size):
                return self.what

        for what, error in (("text", TypeError), (3, TypeError), (None, BlockingIOError)):
            with self.assertRaises(error):
                self.scope.put_stream("x", Giving(what))
        with self.assertRaises(AttributeError):
            self.scope.put_stream("x", object())
        with self.assertRaises(TypeError):
            self.scope.put_stream("x", io.StringIO("text"))
        self.scope.put("x", b"1")
        with self.assertRaises(TypeError):
            self.scope.get_stream("x", io.StringIO())
        self.assertEqual(self.scope.get("x"), b"1")

    def test_files_that_give_and_take_little_or_much(self):
        class Odd:
            def __init__(self, data, step):
                self.data, self.step = data, step

            def read(self, size):
                piece, self.data = self.data[:self.step], self.data[self.step:]
                return memoryview(bytearray(piece))

        data = bytes(range(256)) * 4000
        for step in (77777, 1 << 20):
            self.scope.put_stream("x", Odd(data, step))
            self.assertEqual(self.scope.get("x"), data)

        class Slow(io.RawIOBase):
            def __init__(self):
                super().__init__()
                self.got = bytearray()

            def write(self, piece):
                self.got += piece[:3000]
                return min(3000, len(piece))

        slow = Slow()
        self.assertTrue(self.scope.get_stream("x", slow))
        self.assertEqual(slow.got, data)

    def test_files_are_used_on_the_thread_that_called(self):
        used = set()

        class Here(io.BytesIO):
            def read(self, size=-1):
                used.add(threading.get_ident())
                return super().read(size)

            def write(self, data):
                used.add(threading.get_ident())
                return super().write(data)

        self.scope.put_stream("x", Here(b"1"))
        self.scope.get_stream("x", Here())
        self.assertEqual(used, {threading.get_ident()})

    @unittest.skipIf(SANITIZED, "not with the address sanitizer")
    def test_large_ones_in_constant_memory(self):
        # Without what is mapped of the vault's files.
        code = ("import sys, quietus\n"
                "size = 300 << 20\n"
                "def kib():\n"
                "    with open('/proc/self/status') as status:\n"
                "        return next(int(line.split()[1]) for line in status if 'RssAnon' in line)\n"
                "class File:\n"
                "    left = size; got = 0; most = 0\n"
                "    def read(self, n):\n"
                "        n = min(n, self.left); self.left -= n; self.most = max(self.most, kib())\n"
                "        return bytes(n)\n"
                "    def write(self, data): self.got += len(data); self.most = max(self.most, kib())\n"
                "vault = quietus.Vault.open(sys.argv[1], key_file=sys.argv[2])\n"
                "scope = vault.scope('acme'); scope.put('warm', b'x')\n"
                "before = kib(); file = File()\n"
                "scope.put_stream('x', file); scope.get_stream('x', file)\n"
                "assert file.got == size, file.got\n"
                "assert file.most - before < 40 << 10, f'{file.most - before} KiB'\n")
        self.vault.close()
        subprocess.run([sys.executable, "-c", code, self.place.folder / "vault", self.place.key],
                       check=True, timeout=300, env=os.environ | {"PYTHONPATH": str(PACKAGE)})

    def test_the_library_can_be_called_from_a_file(self):
        self.scope.put("other", b"1")

        class Calling(io.BytesIO):
            def read(this, size=-1):
                self.assertEqual(self.scope.get("other"), b"1")
                self.scope.put("from read", b"2")
                return super().read(size)

            def write(this, data):
                self.scope.put("from write", b"3")
                self.scope.list()
                return super().write(data)

        self.scope.put_stream("x", Calling(bytes(1 << 20)))
        self.scope.get_stream("x", Calling())
        self.assertEqual(self.scope.get("from read"), b"2")
        self.assertEqual(self.scope.get("from write"), b"3")


class Arguments(WithVault):
    def test_what_has_bytes(self):
        import array
        readonly = memoryview(b"abcdef")
        for data, content in (
                (b"abc", b"abc"), (bytearray(b"abc"), b"abc"), (memoryview(b"abc"), b"abc"),
                (memoryview(bytearray(b"abc")), b"abc"), (readonly[::2], b"ace"),
                (memoryview(bytearray(b"abcdef"))[1:3], b"bc"), (array.array("H", [1, 2]), b"\1\0\2\0"),
                (b"", b""), (bytearray(), b"")):
            self.scope.put("x", data)
            self.assertEqual(self.scope.get("x"), content)
            self.assertEqual(self.scope.open(self.scope.seal(data)), content)
            self.assertEqual(self.scope.pseudonym(data), self.scope.pseudonym(content))
        grows = bytearray(b"abc")
        self.scope.put("x", grows)
        grows += b"d"  # BufferError, if it were still lent

    def test_wrong_types(self):
        scope, vault = self.scope, self.vault
        for wrong in (lambda: scope.put("x", "text"), lambda: scope.put("x", 3),
                      lambda: scope.put("x", None), lambda: scope.put(b"x", b"1"),
                      lambda: scope.put(None, b"1"), lambda: scope.get(3),
                      lambda: scope.put("x", b"1", content_type=b"text/plain"),
                      lambda: scope.put("x", b"1", expected="v"), lambda: scope.list(None),
                      lambda: vault.scope(None), lambda: vault.create_scope(b"x"),
                      lambda: vault.create_scope("x", derived_from=[b"acme"]),
                      lambda: vault.erase([1], "test"), lambda: vault.erase("acme", None),
                      lambda: vault.terminate("acme", 1600000000000),
                      lambda: vault.apply_policy(b""), lambda: vault.certificate(b""),
                      lambda: quietus.new_key_file(3),
                      lambda: quietus.Vault.open(self.place.folder, key_file=3),
                      lambda: quietus.verify_certificate("text", ""), lambda: vault.sweep(max_scopes="1")):
            with self.assertRaises(TypeError):
                wrong()
        self.assertEqual(scope.list(), [])

    def test_what_c_could_not_be_told(self):
        scope, vault = self.scope, self.vault
        for wrong in (lambda: scope.put("a\0b", b"1"), lambda: scope.put("\ud800", b"1"),
                      lambda: scope.put("x", b"1", expected=b"short"),
                      lambda: quietus.Version(b"short"), lambda: quietus.new_key_file("a\0b"),
                      lambda: vault.terminate("acme", datetime.datetime(2030, 1, 1)),
                      lambda: vault.sweep(max_scopes=-1), lambda: vault.sweep(max_scopes=0),
                      lambda: vault.sweep(max_scopes=2**64),
                      lambda: self.place.open(lock_timeout=2**40)):
            with self.assertRaises(quietus.InvalidArgument):
                wrong()
        self.assertEqual(scope.list(), [])

    def test_errors_say_what_and_name_nothing(self):
        with self.assertRaises(quietus.Error) as raised:
            self.vault.scope("secret-name")
        error = raised.exception
        self.assertIs(type(error), quietus.NotFound)
        self.assertEqual(error.code, -2)
        self.assertTrue(str(error))
        self.assertNotIn("secret-name", str(error))
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(again), str(again)), (quietus.NotFound, str(error)))

    def test_one_class_for_each_code(self):
        kinds = quietus.Error.__subclasses__()
        self.assertEqual(sorted(kind.code for kind in kinds), list(range(-20, 0)))
        for kind in kinds:
            self.assertIs(getattr(quietus, kind.__name__), kind)

    def test_representations_show_no_secrets(self):
        self.scope.put("x", b"1")
        erasure = self.vault.erase(["acme"], "test")
        self.assertIs(type(erasure.certificate), bytes)
        subject = erasure.subjects[0]
        self.assertEqual(subject.path, "acme")
        self.assertEqual(len(subject.salt), 64)
        shown = repr((erasure, subject, self.vault, self.scope))
        for secret in (subject.salt, "acme", str(self.vault._handle), str(self.scope._handle)):
            self.assertNotIn(secret, shown)


class Answers(WithVault):
    def test_times_and_ids(self):
        before = datetime.datetime.now(UTC) - datetime.timedelta(seconds=1)
        version = self.scope.put("x", b"1")
        info = self.scope.stat("x")
        self.assertLess(before, info.modified)
        self.assertEqual(info.modified.tzinfo, UTC)
        self.assertEqual((info.version, len(version)), (version, 24))
        scope = self.vault.describe("acme")
        self.assertEqual(scope.id, self.scope.id)
        self.assertEqual(len(scope.id), 16)
        self.assertLess(before, scope.created)
        self.assertIsNone(scope.erased)
        erasure = self.vault.erase("acme", "test")
        verified = quietus.verify_certificate(erasure.certificate, self.vault.issuing_key_pem())
        self.assertEqual(verified.scope_ids, (scope.id,))
        self.assertLess(before - datetime.timedelta(seconds=1), verified.slot_destroyed)
        self.assertEqual(verified.vault_id, self.vault.status().vault_id)
        self.assertEqual(self.vault.certificate_of(scope.id), erasure.certificate)
        listed = self.vault.certificates()[0]
        self.assertEqual((listed.id, listed.status), (erasure.certificate_id, verified.status))
        self.assertLess(scope.created, self.vault.children()[0].erased + datetime.timedelta(seconds=1))

    def test_status_and_check(self):
        self.scope.put("x", b"123")
        status, report = self.vault.status(), self.vault.check()
        self.assertEqual((status.tenants, status.processes, status.read_only), (1, 1, False))
        self.assertEqual((status.pending_erasures, status.last_backup), (0, None))
        self.assertEqual((report.records, report.size, report.damages), (1, 3, ()))
        self.vault.close()
        with self.place.open(read_only=True, lock_timeout=1.5) as vault:
            self.assertTrue(vault.status().read_only)
            with self.assertRaises(quietus.Error):
                vault.create_scope("other")

    def test_damage_is_told(self):
        self.scope.put_stream("x", io.BytesIO(bytes(1 << 20)))
        self.vault.close()
        with (self.place.folder / "vault" / "records.mdb").open("r+b") as file:
            file.seek(500000)
            byte = file.read(1)
            file.seek(500000)
            file.write(bytes([byte[0] ^ 1]))
        with self.place.open() as vault:
            damages = vault.check().damages
            self.assertEqual(len(damages), 1)
            self.assertTrue(damages[0].what)
            with self.assertRaises(quietus.Corrupt):
                vault.scope("acme").get("x")
            with self.assertRaises(quietus.Corrupt):
                vault.scope("acme").get_stream("x", io.BytesIO())

    def test_a_record_that_grows_while_it_is_read(self):
        stop = threading.Event()

        def write():
            i = 0
            while not stop.is_set():
                i += 1
                self.scope.put("x", b"x" * (i * 7919 % 30000))

        self.scope.put("x", b"")
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(500):
                self.assertEqual(set(self.scope.get("x")) | {ord("x")}, {ord("x")})
        finally:
            stop.set()
            writer.join()

    def test_versions_can_be_kept_elsewhere(self):
        kept = bytes(self.scope.put("x", b"1")).hex()
        self.scope.put("x", b"2", expected=bytes.fromhex(kept))
        with self.assertRaises(quietus.Conflict):
            self.scope.put("x", b"3", expected=quietus.Version(bytes.fromhex(kept)))

    def test_holds_and_appointments(self):
        until = datetime.datetime(2090, 1, 1, tzinfo=UTC)
        hold = self.vault.hold("acme", "litigation", authority="a court", until=until)
        self.assertEqual(len(hold), 32)
        with self.assertRaises(quietus.Held):
            self.vault.erase("acme", "test")
        self.vault.release(hold)
        made = self.vault.schedule_erasure("acme", "contract-ended")
        self.assertEqual([one.path for one in made], ["acme"])
        self.assertGreater(made[0].when, datetime.datetime.now(UTC) + datetime.timedelta(days=6))


class Package(unittest.TestCase):
    @unittest.skipIf(SANITIZED, "not with the address sanitizer")
    def test_pip_installs_it_from_the_tree(self):
        """Offline, with what Debian has."""
        python = next((each for each in (sys.executable, "/usr/bin/python3") if subprocess.run(
            [each, "-c", "import setuptools, wheel, pip"], capture_output=True).returncode == 0), None)
        if python is None:
            self.skipTest("no Python with pip, setuptools and wheel")
        with tempfile.TemporaryDirectory() as folder:
            tree, target = pathlib.Path(folder, "python"), pathlib.Path(folder, "target")
            shutil.copytree(PACKAGE, tree, ignore=shutil.ignore_patterns(
                "build", "*.egg-info", "__pycache__"))  # building writes into the tree
            done = subprocess.run(
                [python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
                 "--no-build-isolation", "--disable-pip-version-check", "--target", target, tree],
                capture_output=True, text=True, cwd=folder, env=os.environ | {
                    "HOME": folder, "PIP_CONFIG_FILE": os.devnull, "PIP_ROOT_USER_ACTION": "ignore"})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertTrue((target / "quietus" / "py.typed").exists())
            code = "import quietus; print(quietus.__file__, quietus.__version__)"
            environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(target)}
            said = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=folder,
                                  env=environment | {"QUIETUS_LIBRARY": LIBRARY})
            self.assertEqual(said.stdout.split(),
                             [str(target / "quietus" / "__init__.py"), quietus.__version__], said.stderr)
            version = (PACKAGE / "pyproject.toml").read_text(encoding="utf-8")
            self.assertIn(f'version = "{quietus.__version__}"', version)

    def test_without_the_library_the_import_says_so(self):
        for named in ("/nowhere/libquietus.so.0", "libc.so.6"):
            said = subprocess.run(
                [sys.executable, "-c", "import quietus"], capture_output=True, text=True,
                env=os.environ | {"PYTHONPATH": str(PACKAGE), "QUIETUS_LIBRARY": named})
            self.assertEqual(said.returncode, 1)
            self.assertIn("ImportError: no usable libquietus.so.0", said.stderr)

    def test_every_function_of_the_header_is_declared(self):
        import re
        header = (ROOT / "vault/include/quietus/quietus.h").read_text(encoding="utf-8")
        functions = set(re.findall(r"^QUIETUS_EXPORT .*?\bquietus_(\w+)\(", header, re.M))
        from quietus import _library
        self.assertEqual(functions - set(_library._FUNCTIONS),
                         {"version", "code_name", "last_error", "last_error_code", "get_view"})

    def test_the_document(self):
        """Every block of docs/python.md runs, in order, in one program."""
        import re
        document = (ROOT / "docs/python.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```python\n(.*?)^```", document, re.M | re.S)
        self.assertGreater(len(blocks), 5)
        with Place() as place:
            reader = place.folder / "reader"
            reader.mkdir()
            (reader / "scan.pdf").write_bytes(b"a scan")
            before = ("import quietus\ncreate = quietus.Vault.create\n"
                      "quietus.Vault.create = lambda *a, **k: "
                      "create(*a, **k, accept_unknown_medium=True)\n")
            program = before + "\n".join(blocks) + "\nprint('done')\n"
            done = subprocess.run([sys.executable, "-c", program], cwd=reader,
                                  capture_output=True, text=True, timeout=120,
                                  env=os.environ | {"PYTHONPATH": str(PACKAGE)})
        self.assertEqual((done.returncode, done.stdout), (0, "done\n"), done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=1)
