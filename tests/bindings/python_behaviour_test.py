#!/usr/bin/env python3
"""The Python binding answers as tests/behaviour/behaviour.json says.

usage: python_behaviour_test.py LIBRARY
"""

import base64
import datetime
import inspect
import io
import json
import pathlib
import sys
import traceback

from binding import ROOT, Place, quietus


def in_days(days):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)


# What quietus_code_name() says.
NAMES = {
    quietus.InvalidArgument: "invalid argument", quietus.NotFound: "not found",
    quietus.Erased: "erased", quietus.Restricted: "restricted", quietus.Held: "held",
    quietus.Refused: "refused", quietus.AlreadyExists: "already exists",
    quietus.Conflict: "conflict", quietus.WrongKey: "wrong key", quietus.Corrupt: "corrupt",
    quietus.RolledBack: "rolled back", quietus.Unverified: "does not verify", quietus.Busy: "busy",
    quietus.Full: "full", quietus.Unavailable: "unavailable", quietus.Unsupported: "unsupported",
    quietus.ErasureIncomplete: "erasure incomplete", quietus.IoError: "input/output error",
    quietus.InternalError: "internal error", quietus.Changed: "changed while being read",
}


class Absent(Exception):
    pass


def there(value):
    """What the binding says with None or False."""
    if value is None or value is False:
        raise Absent
    return value


def content(text=None, base64_=None, fill=None, size=None):
    """The bytes that a step means, or None."""
    if text is not None:
        return text.encode()
    if base64_ is not None:
        return base64.b64decode(base64_)
    if fill is None:
        return None
    pattern = fill.encode()
    return (pattern * (size // len(pattern) + 1))[:size]


def take_content(step):
    return content(step.pop("text", None), step.pop("base64", None), step.pop("fill", None),
                   step.pop("bytes", None))


class Machine:
    """A method for each `do`; its parameters are the fields of the step. It gives back what `gives_*` is
    compared with, and as `came` what can be kept."""

    def __init__(self, place):
        self.place, self.vault = place, place.vault
        self.scopes, self.kept = {}, {}

    def unlock(self, files):
        return {kind: self.place.folder / file for kind, file in files.items()}

    def new_key_file(self, file):
        quietus.new_key_file(self.place.folder / file)

    def write_file(self, file, data):
        path = self.place.folder / file
        path.touch(mode=0o600)
        path.write_bytes(data)

    def create(self, folder, **unlock):
        self.vault = self.place.create(folder, **self.unlock(unlock))

    def open(self, folder, key_file=None, passphrase_file=None):
        unlock = {"key_file": key_file, "passphrase_file": passphrase_file}
        self.vault = quietus.Vault.open(
            self.place.folder / folder,
            **self.unlock({kind: file for kind, file in unlock.items() if file is not None}))

    def close(self):
        self.vault.close()

    def create_scope(self, path, as_=None, **how):
        self.scopes[as_ or path] = self.vault.create_scope(path, **how)

    def scope(self, path, use=None, as_=None):
        self.scopes[as_ or path] = self.vault.scope(path, use)

    def describe(self, path):
        info = self.vault.describe(path)
        assert info.path == path
        return {"state": info.state, "class": info.data_class}

    def children(self, path):
        return {"paths": sorted(info.path for info in self.vault.children(path))}

    def put_with(self, write, data, expected=None, **how):
        return {"came": bytes(write(data, expected=expected and self.kept[expected], **how))}

    def put(self, scope, name, data, **how):
        return self.put_with(lambda *a, **k: self.scopes[scope].put(name, *a, **k), data, **how)

    def put_stream(self, scope, name, data, **how):
        return self.put_with(lambda *a, **k: self.scopes[scope].put_stream(name, *a, **k),
                             io.BytesIO(data), **how)

    def get(self, scope, name):
        return {"data": there(self.scopes[scope].get(name))}

    def get_stream(self, scope, name):
        file = io.BytesIO()
        there(self.scopes[scope].get_stream(name, file))
        return {"data": file.getvalue()}

    def stat(self, scope, name):
        info = there(self.scopes[scope].stat(name))
        assert info.name == name and info.modified is not None
        return {"bytes": info.size, "content_type": info.content_type, "came": bytes(info.version)}

    def remove(self, scope, name, expected=None):
        there(self.scopes[scope].remove(name, expected=expected and self.kept[expected]))

    def list(self, scope, prefix):
        return {"names": sorted(info.name for info in self.scopes[scope].list(prefix))}

    def batch(self, scope, writes):
        with self.scopes[scope].batch() as batch:
            for write in map(dict, writes):
                if write.pop("do") == "remove":
                    batch.remove(**write)
                else:
                    data = take_content(write)
                    self.put_with(lambda *a, **k: batch.put(write["name"], *a, **k) or b"", data,
                                  **{k: v for k, v in write.items() if k != "name"})

    def seal(self, scope, data):
        return {"came": self.scopes[scope].seal(data)}

    def unseal(self, scope, token):
        return {"data": self.scopes[scope].open(self.kept[token])}

    def pseudonym(self, scope, data):
        return {"came": self.scopes[scope].pseudonym(data)}

    def value(self, data):
        return {"came": data}

    def flip(self, of, byte):
        bent = bytearray(self.kept[of])
        bent[byte] ^= 1
        return {"came": bytes(bent)}

    def suspend(self, path, reason):
        self.vault.suspend(path, reason)

    def unsuspend(self, path, reason):
        self.vault.unsuspend(path, reason)

    def deactivate(self, path, reason):
        self.vault.deactivate(path, reason)

    def rotate(self, path, reason):
        self.vault.rotate(path, reason)

    def purge(self, path, reason):
        self.vault.purge(path, reason)

    def hold(self, path, reason, authority=None):
        return {"came": self.vault.hold(path, reason, authority=authority).encode()}

    def release(self, hold):
        self.vault.release(self.kept[hold].decode())

    def erase(self, paths, reason):
        made = self.vault.erase(paths, reason)
        assert made.erasure_id
        return {"came": made.certificate, "id": made.certificate_id.encode(),
                "subjects": [subject.path for subject in made.subjects]}

    def schedule_erasure(self, paths, reason):
        made = self.vault.schedule_erasure(paths, reason)
        assert [one.path for one in made] == paths

    def cancel_erasure(self, paths):
        self.vault.cancel_erasure(paths)

    def apply_policy(self, data):
        self.vault.apply_policy(data.decode())

    def terminate(self, path, days):
        self.vault.terminate(path, in_days(days))

    def withdraw_consent(self, path, days):
        self.vault.withdraw_consent(path, in_days(days))

    def cancel_termination(self, path):
        self.vault.cancel_termination(path)

    def sweep(self, dry_run):
        return {"scopes": self.vault.sweep(dry_run=dry_run).scopes}

    def resume(self):
        return {"count": len(self.vault.resume())}

    def certificates(self):
        return {"count": len(self.vault.certificates())}

    def certificate(self, id_):
        return {"came": self.vault.certificate(self.kept[id_].decode())}

    def certificate_of(self, path):
        return {"came": self.vault.certificate_of(path)}

    def issuing_key(self):
        return {"came": self.vault.issuing_key_pem().encode()}

    def verify(self, certificate, key):
        found = quietus.verify_certificate(self.kept[certificate], self.kept[key].decode())
        return {"status": found.status, "reason": found.reason, "decided_by": found.decided_by,
                "scopes": len(found.scope_ids)}

    def check(self):
        return {"damages": len(self.vault.check().damages)}


def expect(wanted, got, what):
    if wanted != got:
        raise AssertionError(f"{what}: {got!r:.300}, not {wanted!r:.300}")


def run(machine, step):
    step = dict(step)
    do = step.pop("do")
    wanted, says = step.pop("is", "ok"), step.pop("says", "")
    kept = {field: step.pop(field) for field in ("keep", "keep_id", "same_as", "differs_from")
            if field in step}
    gives = {field[6:]: step.pop(field) for field in list(step) if field.startswith("gives_")}
    data = take_content(step)
    if data is not None:
        step["data"] = data
    for word in ("as", "id"):  # words of Python
        if word in step:
            step[word + "_"] = step.pop(word)
    method = getattr(machine, do)
    inspect.signature(method).bind(**step)  # a field that is not known is no answer of the library
    try:
        came, said, text = method(**step) or {}, "ok", ""
    except Absent:
        came, said, text = {}, "absent", ""
    except quietus.Error as error:
        came, said, text = {}, NAMES[type(error)], str(error)
    expect(wanted, said, f"answer ({text})")
    if says not in text:
        raise AssertionError(f"{text!r} does not say {says!r}")
    if wanted != "ok":
        return
    of_content = "data" in came
    expected = content(gives.pop("text", None), gives.pop("base64", None), gives.pop("fill", None),
                       gives.pop("bytes", None) if of_content else None)
    if expected is not None:
        expect(expected, came["data"], "content")
    for field, value in gives.items():
        expect(sorted(value) if field in ("paths", "names") else value, came[field], field)
    if "keep" in kept:
        machine.kept[kept["keep"]] = came["came"]
    if "keep_id" in kept:
        machine.kept[kept["keep_id"]] = came["id"]
    if "same_as" in kept:
        expect(machine.kept[kept["same_as"]], came["came"], "what came")
    if "differs_from" in kept and machine.kept[kept["differs_from"]] == came["came"]:
        raise AssertionError("what came is the same")


def main():
    cases = json.loads(pathlib.Path(ROOT, "tests/behaviour/behaviour.json").read_bytes())["cases"]
    steps = failed = 0
    for case in cases:
        with Place() as place:
            machine = Machine(place)
            for number, step in enumerate(case["steps"], 1):
                steps += 1
                try:
                    run(machine, step)
                except Exception as error:  # the next case may tell more
                    failed += 1
                    print(f"FAILED: {case['name']}, step {number}: {json.dumps(step):.300}")
                    print("  ", error if isinstance(error, AssertionError) else
                          traceback.format_exc())
                    break
            machine.vault.close()
    print(f"{steps} steps of {len(cases)} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
