"""What the site has beyond docs/: the reference that packaging/reference.py made, its own style, files of the
tree that pages link to, and a line in the navigation for each decision.

The reference is looked for in the folder QUIETUS_REFERENCE; it has to be there.
"""

import os
import pathlib
import posixpath
import re

from mkdocs.structure.files import File
from mkdocs.structure.nav import Link

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
API = "api/index.html"
# A link to a file of the tree that is not in docs/: ../vault/include/quietus/vault.hpp
OUTSIDE = re.compile(r"(\]\((?:\.\./)+)((?!docs/)[a-z][^)#\s]*)\)")


def outside(page, up, target):
    """The file that a page's link means, relative to the tree, or none."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), up[2:], target))
    return path if not path.startswith(("docs/", "..")) and (ROOT / path).is_file() else None


def on_config(config):
    for section in config["nav"]:
        if "Decisions" in section:
            numbered = sorted(path.name for path in ROOT.glob("docs/decisions/[0-9]*.md"))
            section["Decisions"] = [f"decisions/{name}" for name in ["README.md", *numbered]]
    return config


def on_files(files, config):
    reference = pathlib.Path(os.environ["QUIETUS_REFERENCE"])
    added = [(reference, "commands.md"), (ROOT / "packaging" / "site", "site.css")]
    added += [(reference, path.relative_to(reference).as_posix()) for path in sorted((reference / "api").rglob("*"))
              if path.is_file()]
    for path in ROOT.glob("docs/**/*.md"):
        page = path.relative_to(ROOT / "docs").as_posix()
        for up, target in OUTSIDE.findall(path.read_text(encoding="utf-8")):
            if linked := outside(page, up, target):
                added.append((ROOT, linked))
    for folder, name in dict.fromkeys(added):
        files.append(File(name, str(folder), config["site_dir"], config["use_directory_urls"]))
    return files


def on_nav(nav, config, files):
    def settled(items):
        for number, item in enumerate(items):
            if item.is_page and item.file.src_uri == API:  # made by Doxygen: no page of ours
                items[number] = Link(item.title, API)
            elif item.children:
                settled(item.children)
    settled(nav.items)
    nav.pages[:] = [page for page in nav.pages if page.file.src_uri != API]
    for before, page, after in zip([None, *nav.pages], nav.pages, [*nav.pages[1:], None]):
        page.previous_page, page.next_page = before, after
    files.get_file_from_path(API).page = None
    return nav


def on_page_markdown(markdown, page, config, files):
    name = page.file.src_uri

    def settled(match):
        linked = outside(name, match[1], match[2])
        if not linked:
            return match[0]
        return f"]({posixpath.relpath(linked, posixpath.dirname(name) or '.')})"
    return OUTSIDE.sub(settled, markdown)


def on_page_content(html, page, config, files):
    return html.replace("<pre>", '<pre tabindex="0">')  # wide ones are scrolled by keyboard as well
