#!/usr/bin/env python3
"""The site builds without a warning, loads nothing from elsewhere, knows nothing of where it was built, and leads to
every page.

usage: site_test.py TOOL      77: mkdocs or doxygen is not installed
"""

import html.parser
import pathlib
import re
import shutil
import sys
import tempfile
import urllib.parse
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "packaging" / "site"))

import build  # noqa: E402  (only now it can be found)

SVG = "{http://www.w3.org/2000/svg}"


def fail(text):
    print(f"FAILED: {text}")
    sys.exit(1)


class Page(html.parser.HTMLParser):
    """What a page loads, where it leads, and which places it has."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.leads, self.places, self.pictures = [], [], {""}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.places |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href") is not None:
            self.leads.append(given["href"])
        elif tag in ("link", "script", "img", "iframe", "source", "form"):
            self.loads += [given[name] for name in ("href", "src", "action") if given.get(name)]
        if tag == "img":
            self.pictures.append(given)


def check_self_contained(site, pages):
    for path, page in pages.items():
        for target in page.loads:
            parts = urllib.parse.urlsplit(target)
            if parts.scheme not in ("", "data") or parts.netloc:
                fail(f"{path} loads {target}")
            if not parts.scheme and parts.path and not target.startswith("/") and not (
                    site / path).parent.joinpath(urllib.parse.unquote(parts.path)).exists():
                fail(f"{path} loads {target}, which is not there")
        if not path.startswith("api/") and any(not picture.get("alt") for picture in page.pictures):
            fail(f"{path} has a picture without words")
    for path in [*site.rglob("*.css"), *site.rglob("*.svg")]:
        for target in re.findall(r"url\(\s*['\"]?([^)'\"]*)|@import\s+['\"]?([^'\";]*)", path.read_text(encoding="utf-8")):
            if re.match(r"(?:https?:)?//", "".join(target)):
                fail(f"{path.name} loads {target}")


def check_links(site, pages):
    """Also those to a place within a page, which mkdocs does not look at."""
    for path, page in pages.items():
        if path.startswith("api/") or path == "404.html":
            continue
        for target in page.leads:
            parts = urllib.parse.urlsplit(target)
            if parts.scheme or parts.netloc or target == ".":
                continue
            there = path if not parts.path else (
                (site / path).parent / urllib.parse.unquote(parts.path)).resolve().relative_to(site).as_posix()
            if not (site / there).exists():
                fail(f"{path} leads to {target}, which is not there")
            if parts.fragment and there in pages and parts.fragment not in pages[there].places:
                fail(f"{path} leads to {target}: the page has no such place")


def check_tree():
    """The pages are read in the tree as well, where nothing is generated."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = re.sub(r"(?ms)^ *```.*?^ *```|`[^`\n]*`", "", path.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            there = target.partition("#")[0]
            if there and "://" not in there and not (path.parent / there).exists():
                fail(f"{path.relative_to(ROOT)} leads to {target}, which is not in the tree")


def check_navigation(pages):
    begin = pages["index.html"]
    for path in sorted((ROOT / "docs").rglob("*.md")):
        name = path.relative_to(ROOT / "docs").with_suffix(".html").as_posix().replace("/README.", "/index.")
        if name not in begin.leads:
            fail(f"nothing leads to docs/{path.name}: give it a line in mkdocs.yml")
    for name in ("commands.html", "api/index.html"):
        if name not in begin.leads:
            fail(f"nothing leads to {name}")


def check_pictures():
    for path in sorted((ROOT / "docs" / "pictures").glob("*.svg")):
        picture = xml.etree.ElementTree.parse(path).getroot()
        named = [picture.find(f"{SVG}{tag}") for tag in ("title", "desc")]
        if picture.get("role") != "img" or any(one is None or not one.text for one in named):
            fail(f"{path.name} has no title and description")
        if "prefers-color-scheme:dark" not in path.read_text(encoding="utf-8"):
            fail(f"{path.name} is for a light page only")


def main(tool):
    for program in ("mkdocs", "doxygen"):
        if not shutil.which(program):
            print(f"{program} is not installed")
            sys.exit(77)
    check_pictures()
    check_tree()
    with tempfile.TemporaryDirectory(prefix="quietus-site-") as place:
        site = pathlib.Path(place).resolve() / "site"
        if said := build.build(tool, site):
            fail(said)
        texts = {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
        for path, text in texts.items():
            if str(ROOT) in text or place in text:
                fail(f"{path} tells where it was built")
        pages = {path: Page(text) for path, text in texts.items()}
        check_self_contained(site, pages)
        check_links(site, pages)
        check_navigation(pages)
    print(f"{len(pages)} pages, {sum(len(page.leads) for page in pages.values())} links")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
