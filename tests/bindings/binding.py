"""What the tests of the Python binding share: the package from the tree, over the library that the command
line names."""

import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "bindings" / "python"

if len(sys.argv) < 2:
    sys.exit(f"usage: {sys.argv[0]} LIBRARY")
LIBRARY = os.path.abspath(sys.argv[1])
os.environ["QUIETUS_LIBRARY"] = LIBRARY
sys.path.insert(0, str(PACKAGE))

import quietus  # noqa: E402  (only now it can be found)

MEMORY = "/dev/shm"


class Place:
    """A new folder with a key file and an open vault."""

    def __init__(self):
        # In memory where there is such a place: vaults sync very often.
        self._folder = tempfile.TemporaryDirectory(
            prefix="quietus-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        self.folder = pathlib.Path(self._folder.name)
        self.key = self.folder / "key"
        quietus.new_key_file(self.key)
        self.vault = self.create("vault", key_file=self.key)

    def create(self, name, **unlock):
        return quietus.Vault.create(self.folder / name, root_folder=self.folder / "roots",
                                    accept_unknown_medium=True, **unlock)

    def open(self, name="vault", **how):
        return quietus.Vault.open(self.folder / name, **({"key_file": self.key} | how))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.vault.close()
        self._folder.cleanup()
