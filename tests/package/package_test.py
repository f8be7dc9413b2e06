#!/usr/bin/env python3
"""The Debian packages: what is in them, and their life in a Debian of its own (debootstrap): installed, used,
upgraded, purged.

usage: package_test.py FOLDER      with the .deb files; what is worth keeping for the next run is kept there too

Exits with 77 when all went well but the second part was not possible: it needs root and debootstrap.
"""

import contextlib
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else None
PACKAGES = ("libquietus-dev", "libquietus0", "python3-quietus", "quietus")
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
BASE_DAYS = 7  # as old may the kept base system be: its list of packages must still fit the mirror

sys.dont_write_bytecode = True  # nothing is written between the sources
sys.path.insert(0, str(ROOT / "packaging"))
import generate  # noqa: E402  (the names of the manual's pages)


def run(*arguments, wanted=0, **how):
    how.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([os.fspath(one) for one in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **how)
    if wanted is not None and done.returncode != wanted:
        raise AssertionError(f"{shlex.join(map(str, arguments))}: {done.returncode}\n{done.stdout}")
    return done.stdout


def deb_of(package):
    found = sorted(FOLDER.glob(f"{package}_*.deb"))
    if len(found) != 1:
        raise AssertionError(f"{len(found)} packages {package} in {FOLDER}")
    return found[0]


@contextlib.contextmanager
def part(name):
    begun = time.monotonic()
    yield
    print(f"  {name}: {time.monotonic() - begun:.1f} s", flush=True)


class Contents(unittest.TestCase):
    """Unpacked beside each other, not installed."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="contents-", dir=FOLDER))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        for package in PACKAGES:
            run("dpkg-deb", "-x", deb_of(package), cls.folder)

    def field(self, package, name):
        return run("dpkg-deb", "-f", deb_of(package), name).strip()

    def test_every_command_has_its_page(self):
        wanted = {f"{command.page}.1.gz" for command in generate.commands_of(str(self.folder / "usr/bin/quietus"))}
        self.assertEqual(wanted, {path.name for path in (self.folder / "usr/share/man/man1").iterdir()})
        self.assertGreater(len(wanted), 50)

    def test_completion_and_units_are_where_debian_looks(self):
        for name in ("usr/share/bash-completion/completions/quietus", "usr/share/zsh/vendor-completions/_quietus",
                     "usr/share/fish/vendor_completions.d/quietus.fish", "lib/systemd/system/quietus-sweep@.service",
                     "lib/systemd/system/quietus-sweep@.timer", "usr/share/doc/quietus/README.Debian"):
            self.assertTrue((self.folder / name).is_file(), name)
        service = (self.folder / "lib/systemd/system/quietus-sweep@.service").read_text(encoding="utf-8")
        self.assertIn("ExecStart=/usr/bin/quietus ", service)
        for page in re.findall(r"(?m)^Documentation=file:/(.*)$", service):
            self.assertTrue((self.folder / page).is_file(), page)
        # Enabled by nothing but the administrator.
        self.assertEqual([], [path for path in self.folder.rglob("*.wants")])

    def test_dependencies(self):
        self.assertEqual(f"libquietus0 (= {self.field('libquietus0', 'Version')})",
                         next(one for one in self.field("libquietus-dev", "Depends").split(", ") if "quietus" in one))
        # The command brings its own layers.
        self.assertNotIn("libquietus0", self.field("quietus", "Depends"))
        self.assertEqual("same", self.field("libquietus0", "Multi-Arch"))

    @unittest.skipUnless(shutil.which("pkg-config"), "pkg-config is not installed")
    def test_pkg_config(self):
        pc = next(self.folder.glob("usr/lib/*/pkgconfig/quietus.pc"))
        # What it needs for a static program comes from the system.
        system = run("pkg-config", "--variable", "pc_path", "pkg-config").strip()
        said = run("pkg-config", "--cflags", "--libs", "quietus",
                   env=os.environ | {"PKG_CONFIG_LIBDIR": f"{pc.parent}:{system}"}).split()
        self.assertIn(f"-I{self.folder}/usr/include", [os.path.normpath(one) for one in said])
        self.assertIn("-lquietus", said)
        self.assertTrue((pc.parents[1] / "libquietus.so").is_file(), "the link leads to the library")


class Machine:
    """A Debian in a folder. What is mounted in it is gone with the command that it was mounted for."""

    def __init__(self, root):
        self.root = root
        self.inside, self.has_proc = ["chroot", root], True
        mounts = 'mount -t proc proc "$1/proc" && shift && exec "$@"'
        with_proc = ["unshare", "--mount", "sh", "-c", mounts, "sh", root]
        if subprocess.run([*with_proc, "true"], capture_output=True, check=False).returncode == 0:
            self.inside = with_proc + self.inside
        else:
            self.has_proc = False
            print("  nothing can be mounted here: there is no /proc, and so no demo", flush=True)

    def run(self, *arguments, **how):
        environment = CLEAN | {name: value for name, value in os.environ.items() if name.endswith("_proxy")}
        return run(*self.inside, *arguments, env=environment | how.pop("env", {}), **how)

    def apt(self, *arguments):
        return self.run("apt-get", "-q", "-y", *arguments)

    def path(self, name):
        return self.root / name.lstrip("/")

    def write(self, name, text):
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(text, encoding="utf-8")

    def like_the_host(self):
        """Names, proxies and the like."""
        for name in ("/etc/resolv.conf", "/etc/hosts"):
            if pathlib.Path(name).exists():
                self.write(name, pathlib.Path(name).read_text(encoding="utf-8"))
        settings = re.findall(r'(?m)^Acquire::(?:https?::.*|Retries|Check-[A-Za-z-]+) ".+";$', run("apt-config", "dump"))
        self.write("/etc/apt/apt.conf.d/90host", "\n".join(settings) + "\n")
        self.write("/etc/dpkg/dpkg.cfg.d/90fast", "force-unsafe-io\n")

    def state_of(self, folder):
        """Every file below it with its contents and rights."""
        found = {}
        for path in sorted(self.path(folder).rglob("*")):
            status = path.lstat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[path.relative_to(self.root).as_posix()] = (status.st_mode, status.st_uid, digest)
        return found


def mirror():
    """Where this machine's apt has its Debian from, and its name."""
    codename = run("sh", "-c", '. /etc/os-release; echo "$VERSION_CODENAME"').strip()
    # The origin is empty when the lists were never fetched.
    listed = run("apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI) $(ORIGIN)",
                 "Created-By: Packages").splitlines()
    lines = [line.split(" ") for line in listed]
    lines = [line for line in lines if line[:2] == [codename, "main"] and line[3] in ("Debian", "")]
    if not lines:
        raise unittest.SkipTest(f"apt has no source of {codename} here")
    return codename, lines[0][2]


def base_system():
    """A tar file of a small Debian with what the demo needs; kept, because it takes a minute or two."""
    kept = FOLDER / "base.tar"
    if kept.exists() and time.time() - kept.stat().st_mtime < BASE_DAYS * 86400:
        return kept
    codename, uri = mirror()
    with tempfile.TemporaryDirectory(prefix="base-", dir=FOLDER) as folder:
        root = pathlib.Path(folder) / "root"
        # In a space of its own where there can be one, so that its mounts go with it.
        apart = ["unshare", "--mount"]
        if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode != 0:
            apart = []
        run(*apart, "debootstrap", "--foreign", "--variant=minbase", "--include=openssl,python3", codename, root, uri)
        machine = Machine(root)
        machine.like_the_host()  # before the packages are installed: half the time is waiting for the disk
        run(*apart, "chroot", root, "/debootstrap/debootstrap", "--second-stage", env=CLEAN)
        machine.apt("update")
        machine.apt("clean")
        run("tar", "-C", root, "--one-file-system", "-cf", f"{folder}/base.tar", ".")
        os.replace(f"{folder}/base.tar", kept)
    return kept


def newer(deb, folder):
    """The same package as the next version."""
    tree = folder / deb.stem
    run("dpkg-deb", "-R", deb, tree)
    control = tree / "DEBIAN" / "control"
    text = control.read_text(encoding="utf-8")
    version = re.search(r"(?m)^Version: (.*)$", text)[1]
    control.write_text(text.replace(version, f"{version}+upgrade1"), encoding="utf-8")
    # Fast to write; it is installed once.
    run("dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, folder / f"{deb.stem}+upgrade1.deb")
    return f"{version}+upgrade1"


@unittest.skipUnless(os.geteuid() == 0, "needs root")
@unittest.skipUnless(shutil.which("debootstrap"), "debootstrap is not installed")
class Life(unittest.TestCase):
    VAULT, SLOTS, KEPT = "/var/lib/quietus/main", "/var/lib/quietus-roots", "/etc/quietus"
    TIMER = "/etc/systemd/system/timers.target.wants/quietus-sweep@main.timer"
    UNLOCK = {"QUIETUS_VAULT": VAULT, "QUIETUS_KEY_FILE": "/etc/quietus/main.key"}

    def setUp(self):
        with part("the base system"):
            base = base_system()
            folder = pathlib.Path(tempfile.mkdtemp(prefix="life-", dir=FOLDER))
            self.addCleanup(run, "rm", "-rf", "--one-file-system", folder)
            root = folder / "root"
            root.mkdir()
            run("tar", "-C", root, "-xf", base)
        self.folder, self.archives = folder, FOLDER / "archives"
        self.machine = Machine(root)
        self.machine.like_the_host()
        self.place = self.machine.path("/var/cache/apt/archives")
        self.archives.mkdir(exist_ok=True)
        shutil.copytree(self.archives, self.place, dirs_exist_ok=True)

    def quietus(self, *arguments, **how):
        return self.machine.run("quietus", *arguments, env=self.UNLOCK, **how)

    def install(self, debs):
        shutil.rmtree(self.machine.path("/packages"), ignore_errors=True)
        self.machine.path("/packages").mkdir()
        names = [shutil.copy(deb, self.machine.path("/packages")) for deb in debs]
        names = [f"/packages/{pathlib.Path(name).name}" for name in names]
        try:
            said = self.machine.apt("install", "--no-install-recommends", *names)
        except AssertionError:  # the mirror may have moved on
            self.machine.apt("update")
            said = self.machine.apt("install", "--no-install-recommends", *names)
        for deb in self.place.glob("*.deb"):
            if not (self.archives / deb.name).exists():
                shutil.copy(deb, self.archives)
        self.assertEqual("", self.machine.run("dpkg", "--audit"))
        return said

    def versions(self):
        listed = self.machine.run("dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}${Version}\n", "*quietus*",
                                  wanted=None)
        return [line for line in listed.splitlines() if not line.startswith("dpkg-query:")]

    def make_a_vault(self):
        """As README.Debian says."""
        self.machine.path(self.KEPT).mkdir(mode=0o700)
        self.machine.path("/var/lib/quietus").mkdir(mode=0o700)
        init = ["init", self.VAULT]
        said = self.quietus(*init, wanted=None)
        if not self.machine.path("/etc/quietus/main.key").exists() or "overwrite" in said:
            self.quietus(*init, "--accept-unknown-medium")
        self.quietus("tenant", "create", "acme")
        self.quietus("put", "acme", "letter", input="dear reader", stdin=None)
        self.machine.write("/etc/quietus/main.env", "".join(f"{name}={value}\n" for name, value in self.UNLOCK.items()))

    def enable(self):
        if shutil.which("systemctl"):
            run("systemctl", f"--root={self.machine.root}", "enable", "quietus-sweep@main.timer")
        else:  # which does just this
            self.machine.path(self.TIMER).parent.mkdir(parents=True, exist_ok=True)
            self.machine.path(self.TIMER).symlink_to("/lib/systemd/system/quietus-sweep@.timer")
        self.assertTrue(self.machine.path(self.TIMER).is_symlink())

    def reads(self):
        self.assertEqual("dear reader", self.quietus("get", "acme", "letter"))
        self.quietus("check")
        program = ("import os, quietus; vault = quietus.Vault.open(os.environ['QUIETUS_VAULT'],"
                   " key_file=os.environ['QUIETUS_KEY_FILE']); print(vault.scope('acme').get('letter').decode())")
        self.assertEqual("dear reader\n", self.machine.run("python3", "-c", program, env=self.UNLOCK))

    def what_is_the_users(self):
        return {name: state for folder in (self.VAULT, self.SLOTS, self.KEPT)
                for name, state in self.machine.state_of(folder).items()}

    def listed(self):
        """The paths of all packages that are installed. /lib is a link, and some packages name it so."""
        lines = self.machine.run("sh", "-c", "cat /var/lib/dpkg/info/*.list").splitlines()
        return {re.sub(r"^/lib(?=/)", "/usr/lib", line) for line in lines}

    def purge(self):
        owned = self.listed()
        said = self.machine.apt("purge", *PACKAGES)
        self.assertEqual([], self.versions())
        left = {path for path in owned - self.listed() if os.path.lexists(self.machine.path(path))}
        self.assertEqual(set(), left - self.before)
        stray = {f"/{path.relative_to(self.machine.root)}" for path in self.machine.root.rglob("*quietus*")}
        self.assertEqual(set(), {path for path in stray if not path.startswith(("/packages/", "/root/", self.KEPT, "/var/lib/quietus"))})
        return [line for line in said.splitlines() if line.startswith("quietus: ")]

    def test_life(self):
        machine = self.machine
        self.before = {f"/{path.relative_to(machine.root)}" for path in machine.root.rglob("*")}
        debs = [deb_of(package) for package in PACKAGES]
        with part("installing"):
            self.install(debs)
            version = run("dpkg-deb", "-f", debs[0], "Version").strip()
            self.assertEqual([f"{package} ii {version}" for package in PACKAGES], self.versions())
            self.assertEqual([], list(machine.path("/etc").rglob("*quietus*")))
        if machine.has_proc:  # bash needs it, for what it calls process substitution
            with part("the demo"):
                shutil.copy(ROOT / "tests" / "demo.sh", machine.path("/root/demo.sh"))
                said = machine.run("bash", "/root/demo.sh", "/root/demo", env={"QUIETUS": "/usr/bin/quietus"})
                self.assertIn("All as wanted.", said)
        with part("a vault and a sweep"):
            self.make_a_vault()
            self.enable()
            service = machine.path("/lib/systemd/system/quietus-sweep@.service").read_text(encoding="utf-8")
            machine.run(*re.search(r"(?m)^ExecStart=(.*)$", service)[1].split(), env=self.UNLOCK)
        with part("an upgrade"):
            users = self.what_is_the_users()
            for deb in debs:
                version = newer(deb, self.folder)
            said = self.install(sorted(self.folder.glob("*+upgrade1.deb")))
            self.assertEqual([f"{package} ii {version}" for package in PACKAGES], self.versions())
            self.assertNotIn("quietus: ", said)
            self.assertEqual(users, self.what_is_the_users())
            machine.run("test", "-f", self.TIMER)  # still enabled, and leads to a unit
            self.reads()
        with part("a purge"):
            users = self.what_is_the_users()
            notice = self.purge()
            print("\n".join(f"    {line}" for line in notice))
            self.assertEqual(users, self.what_is_the_users())
            for place in (self.VAULT, self.KEPT, *machine.path(self.SLOTS).iterdir()):
                shown = str(place).removeprefix(str(machine.root))
                self.assertIn(f"quietus:   {shown}", notice)
            self.assertFalse(os.path.lexists(machine.path(self.TIMER)))
        with part("what the notice says"):
            self.install([deb_of("quietus")])
            self.assertEqual("dear reader", self.quietus("get", "acme", "letter"))
            advice = next(line for line in notice if "vault destroy" in line).removeprefix("quietus: ").split()
            values = {"DIR": self.VAULT, "REASON": "end of service"}
            keys = iter((self.UNLOCK["QUIETUS_KEY_FILE"], "/root/end.jws.json"))
            machine.run(*(next(keys) if word == "FILE" else values.get(word, word) for word in advice), "--yes")
            self.assertTrue(machine.path("/root/end.jws.json").is_file())
            for folder in (self.VAULT, self.SLOTS, self.KEPT):
                shutil.rmtree(machine.path(folder))
            machine.path("/var/lib/quietus").rmdir()
            said = machine.apt("purge", "quietus")
            self.assertIn("quietus: no vault was touched", said)


def stop(number, _frame):
    sys.exit(128 + number)  # through all that cleans up


if __name__ == "__main__":
    if FOLDER is None:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, stop)
    ended = unittest.main(verbosity=2, exit=False).result
    if not ended.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if any(case.id().split(".")[1] == "Life" for case, _ in ended.skipped) else 0)
