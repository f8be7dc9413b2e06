#!/usr/bin/env python3
"""Every command and block of code in the README and in docs/ is run, built or read by a test.

usage: blocks_test.py TOOL [LIBRARY [PAGE...]]     LIBRARY: libquietus.so, for the blocks that are programs

Shell blocks of a page run in order, in one shell and a folder of their own, after tests/docs/before/PAGE.sh; in what
is shown … stands for anything, and with nothing shown nothing is compared. Paths of a host, such as /var/lib, are
taken below that folder. Programs are built and run; data is parsed. What another test runs is listed here.
"""

import configparser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "cli"))

import documented  # noqa: E402  (only now it can be found)
from blocks import CHECKED, PLAIN, SHELL, blocks, commands  # noqa: E402

# (page, language; "" for commands that are indented): the test that runs them, which names the page.
ELSEWHERE = {
    ("docs/operations.md", ""): "tests/cli/operations_docs_test.py",
    ("docs/recovery.md", ""): "tests/cli/recovery_docs_test.py",
    ("docs/rights.md", ""): "tests/cli/rights_docs_test.py",
    ("docs/python.md", "python"): "tests/bindings/python_test.py",
    ("docs/node.md", "js"): "tests/bindings/node_package_test.mjs",
    ("README.md", "cpp"): "tests/CMakeLists.txt",
}
MAX_NOT_RUN = 8
# Pages whose examples show values of one day: a word with a digit, and a size, stand for any other.
LOOSE = {"docs/backup.md"}
HOST = re.compile(r"(?<![\w.$}])/(?=(?:var/lib|etc|mnt|srv)\b)")
ANYWHERE = (
    ('{.root_folder = "roots"', '{.root_folder = "roots", .accept_unknown_medium = true'),
    ('options.root_folder = "roots";', 'options.root_folder = "roots"; options.accept_unknown_medium = 1;'),
    ('root_folder="roots"', 'root_folder="roots", accept_unknown_medium=True'),
)


def pages(root=ROOT):
    return {path.relative_to(root).as_posix(): blocks(path.read_text(encoding="utf-8"))
            for path in [root / "README.md", *sorted((root / "docs").glob("*.md"))]}


def named_elsewhere(block, root):
    """A test of the command that has the block's name."""
    return any(re.search(rf"\b{re.escape(block.name)}\b", path.read_text(encoding="utf-8")) or
               re.search(rf'"{re.escape(block.name.split("-")[0])}-"', path.read_text(encoding="utf-8"))
               for path in (root / "tests" / "cli").glob("*_test.py"))


def sort_out(page, block, root=ROOT):
    """What is done with the block: "run", "check", "elsewhere", "not", "plain"; or a complaint."""
    where = f"{page}:{block.line}"
    if block.name and block.fenced:
        return "elsewhere" if named_elsewhere(block, root) else f"{where}: no test names {block.name}"
    listed = ELSEWHERE.get((page, block.language if block.fenced else ""))
    if listed and (block.fenced or block.is_command):
        if not (root / listed).is_file() or page.split("/")[-1] not in (root / listed).read_text(encoding="utf-8"):
            return f"{where}: {listed}, which is to run it, does not name {page}"
        return "elsewhere"
    if block.marked("not run"):
        return "not"
    if block.language in SHELL:
        return "run"
    if block.language in CHECKED:
        return "check"
    if block.language in PLAIN:
        return f"{where}: a command; say ```sh or ```console, so that it is run" if block.is_command else "plain"
    return f"{where}: no test runs ```{block.language}"


def complaints(root=ROOT):
    found, not_run = [], []
    for page, each in pages(root).items():
        for block in each:
            what = sort_out(page, block, root)
            if what == "not":
                not_run.append(f"{page}:{block.line}: {block.marked('not run')[0]}")
            elif " " in what:
                found.append(what)
    if len(not_run) > MAX_NOT_RUN:
        found.append(f"{len(not_run)} blocks are not run, more than {MAX_NOT_RUN}:\n  " + "\n  ".join(not_run))
    return found, not_run


# ---- what is run -----------------------------------------------------------------------------------

def pattern(page, line):
    """What a line stands for."""
    parts = []
    for word in re.split(r"(…| (?:B|KiB|MiB)\b|\s+)", line.strip()):
        if word == "…":
            parts.append(".*")
        elif page in LOOSE and re.search(r"\d", word):
            parts.append(r"\S+")
        elif page in LOOSE and word.strip() in ("B", "KiB", "MiB"):
            parts.append(" (?:B|KiB|MiB)")
        elif page in LOOSE and (many := re.fullmatch(r"(record|scope)s(,?)", word)):
            parts.append(f"{many[1]}s?{many[2]}")
        else:
            parts.append(r"\s+" if word.isspace() else re.escape(word))
    return re.compile("".join(parts).replace(r"\s+.*", r"\s*.*"))


def lines_match(page, shown, printed):
    """Line for line; one that is … alone stands for any number of lines."""
    if not shown:
        return not printed
    if shown[0].strip() == "…":
        return any(lines_match(page, shown[1:], printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and pattern(page, shown[0]).fullmatch(printed[0].strip()) is not None and \
        lines_match(page, shown[1:], printed[1:])


def each_of(lines):
    """The lines of a block, none of which may fail."""
    return f"failed=0; trap 'failed=$?' ERR\n{lines}\ntrap - ERR; (exit $failed)"


def matches(page, shown, printed):
    """Messages go another way than results, so they are compared apart."""
    def parted(lines):
        lines = [line for line in lines if line.strip()]
        messages = [line for line in lines if line.startswith("quietus: ")]
        return messages, [line for line in lines if line not in messages]
    (messages, results), (printed_messages, printed_results) = parted(shown), parted(printed.splitlines())
    return lines_match(page, results, printed_results) and all(
        any(lines_match(page, [message], [one]) for one in printed_messages) for message in messages)


def run_shell(page, each, tool):
    pieces = []  # command, shown, further exit codes
    for block in each:
        pieces += [(hidden, None, set()) for hidden in block.marked("run")]
        if sort_out(page, block) == "run":
            pieces += [(each_of(command) if shown is None else command, shown, block.other_exit)
                       for command, shown in commands(block)]
    if not pieces:
        return 0
    before = HERE / "before" / f"{pathlib.Path(page).stem}.sh"
    prelude = before.read_text(encoding="utf-8") if before.exists() else ""

    def below(text):
        return HOST.sub("$PWD_OF_HOST/", text)
    script = 'mkdir host; export PWD_OF_HOST=$PWD/host; mkdir -p host/var/lib host/etc host/mnt host/srv\n' + below(prelude)
    ran = documented.play(tool, script, [below(command) for command, _, _ in pieces], DOCS=str(ROOT / "docs"))
    for (command, shown, exits), (printed, code) in zip(pieces, ran):
        expected = {0} | exits if not documented.refused(shown or []) else {*range(1, 10)}
        if code not in expected:
            documented.fail(f"{page}\n$ {command}\nexit {code}\n{printed}")
        if shown and not matches(page, shown, printed):
            documented.fail(f"{page}\n$ {command}\nprinted\n{printed}\nnot\n" + "\n".join(shown))
    return len(pieces)


# ---- what is built or read -------------------------------------------------------------------------

def must(command, folder, **more):
    done = subprocess.run(command, cwd=folder, env=os.environ | more, timeout=300, check=False, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        documented.fail(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def anywhere(text):
    for given, taken in ANYWHERE:
        text = text.replace(given, taken)
    return text


def build_cmake(text, programs, folder, library):
    """The project of the page, with the page's program, against the library as it was built."""
    package = folder / "package"
    package.mkdir()
    includes = ";".join(str(ROOT / room / "include") for room in ("kms", "vault"))
    (package / "quietus-config.cmake").write_text(
        f'add_library(quietus::quietus SHARED IMPORTED)\nset_target_properties(quietus::quietus PROPERTIES '
        f'IMPORTED_LOCATION "{library}" INTERFACE_INCLUDE_DIRECTORIES "{includes}")\n', encoding="utf-8")
    (package / "quietus-config-version.cmake").write_text("set(PACKAGE_VERSION_COMPATIBLE TRUE)\n", encoding="utf-8")
    (folder / "CMakeLists.txt").write_text(text, encoding="utf-8")
    for name, program in programs.items():
        (folder / name).write_text(anywhere(program), encoding="utf-8")
    must(["cmake", "-G", "Ninja", "-B", "built", f"-Dquietus_DIR={package}", "-Wno-dev"], folder)
    must(["cmake", "--build", "built"], folder)
    for name in programs:
        must([folder / "built" / pathlib.Path(name).stem], folder)


def run_programs(page, each, library):
    """Programs of a page: the C++ ones by its CMake project, if it has one."""
    named = {match[1]: block.text for block in each
             if block.language == "cpp" and (match := re.match(r"// (\w+\.cpp)\n", block.text))}
    includes = [f"-I{ROOT / room / 'include'}" for room in ("kms", "vault")]
    linked = [library, f"-Wl,-rpath,{library.parent}"]
    for block in each:
        with tempfile.TemporaryDirectory(prefix="quietus-blocks-") as place:
            folder = pathlib.Path(place)
            if block.language == "cmake":
                build_cmake(block.text, named, folder, library)
            elif block.language in ("c", "cpp") and block.text not in named.values():
                name = f"program.{block.language}"
                (folder / name).write_text(anywhere(block.text), encoding="utf-8")
                compiler = ["cc", "-std=c99"] if block.language == "c" else ["c++", "-std=c++20"]
                must([*compiler, "-Wall", "-Wextra", "-Werror", *includes, name, "-o", "program", *linked], folder)
                must([folder / "program"], folder)
            elif block.language == "python":
                must([sys.executable, "-c", anywhere(block.text)], folder, QUIETUS_LIBRARY=str(library),
                     PYTHONPATH=str(ROOT / "bindings" / "python"), PYTHONDONTWRITEBYTECODE="1")
    if named and not any(block.language == "cmake" for block in each):
        documented.fail(f"{page} names {', '.join(named)} and has no CMake project for it")


def read_data(page, block):
    try:
        if block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "ini":
            parser = configparser.ConfigParser(interpolation=None)
            parser.optionxform = str
            parser.read_string(block.text if block.text.startswith("[") else "[settings]\n" + block.text)
        elif block.language == "yaml":
            import yaml
            yaml.safe_load(block.text)
    except (ValueError, configparser.Error) as error:
        documented.fail(f"{page}:{block.line}: {error}")


def main(tool, library=None, *only):
    found, not_run = complaints()
    if found:
        documented.fail("\n".join(found))
    tool = os.path.abspath(tool)
    library = pathlib.Path(library).resolve() if library else None
    for page, each in pages().items():
        if only and pathlib.Path(page).name not in only:
            continue
        checked = [block for block in each if sort_out(page, block) == "check"]
        for block in checked:
            read_data(page, block)
        if library and checked:
            run_programs(page, checked, library)
        ran = run_shell(page, each, tool)
        if ran or checked:
            print(f"{page}: {ran} commands, {len(checked)} other blocks", flush=True)
    print("not run, as the pages say:\n  " + "\n  ".join(not_run))


if __name__ == "__main__":
    if len(sys.argv) < 2 or not shutil.which("bash"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
