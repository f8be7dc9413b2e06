"""Reads OpenMetrics 1.0 text as strictly as its specification is written."""

import math
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")
TYPES = {"gauge", "counter", "stateset", "info", "histogram", "gaugehistogram", "summary", "unknown"}


class Malformed(Exception):
    pass


class Family:
    def __init__(self, name):
        self.name = name
        self.meta = {}
        self.samples = {}  # labels, as a sorted tuple of pairs: value


def need(condition, why):
    if not condition:
        raise Malformed(why)


def unescaped(text):
    need(not re.search(r"\\(?![\\\"n])", text.replace("\\\\", "")), f"escape: {text}")
    return re.sub(r"\\(.)", lambda match: "\n" if match.group(1) == "n" else match.group(1), text)


def labels_of(text, line):
    found, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        need(match, f"label: {line}")
        found.append((match.group(1), unescaped(match.group(2))))
        at = match.end()
        if at < len(text):
            need(text[at] == "," and at + 1 < len(text), f"between labels: {line}")
            at += 1
    names = [name for name, _ in found]
    need(len(set(names)) == len(names), f"label twice: {line}")
    need(not any(name.startswith("__") for name in names), f"reserved label: {line}")
    return tuple(sorted(found))


def read_meta(line, family):
    """A family begins with its descriptors; the one that the line belongs to."""
    parts = line.split(" ", 3)
    need(len(parts) == 4 and parts[1] in ("TYPE", "UNIT", "HELP"), f"descriptor: {line}")
    _, kind, name, value = parts
    need(NAME.match(name), f"name: {line}")
    if family is None or family.name != name:
        family = Family(name)
    need(not family.samples, f"descriptor behind samples: {line}")
    need(kind not in family.meta, f"twice: {line}")
    if kind == "TYPE":
        need(value in TYPES, f"type: {line}")
    if kind == "UNIT":
        need(value and name.endswith(f"_{value}"), f"name without its unit: {line}")
    if kind == "HELP":
        need(not re.search(r'(?<!\\)"', value), f"quote: {line}")
        value = unescaped(value)
    family.meta[kind] = value
    return family


def read_sample(line, family):
    match = re.fullmatch(r"([^ {]+)(?:\{(.*)\})? ([^ ]+)", line)
    need(match, f"sample: {line}")
    name, labels, value = match.groups()
    need(family is not None and family.meta.get("TYPE") == "gauge", f"only gauges are written here: {line}")
    need(name == family.name, f"a sample of another family: {line}")
    need(NUMBER.match(value), f"number: {line}")
    number = float(value)
    need(math.isfinite(number), f"number: {line}")
    key = labels_of(labels or "", line)
    need(key not in family.samples, f"twice: {line}")
    family.samples[key] = number


def parse(content):
    """{name: Family} of bytes; Malformed."""
    text = content.decode("utf-8")
    need("\r" not in text and text.endswith("\n# EOF\n"), "end")
    families, family = {}, None
    for line in text.split("\n")[:-2]:
        need(line and line == line.strip() and "\t" not in line, f"blank: {line!r}")
        if not line.startswith("#"):
            read_sample(line, family)
            continue
        before, family = family, read_meta(line, family)
        if family is not before:
            need(family.name not in families, f"two families: {line}")
            families[family.name] = family
    for one in families.values():
        need(one.samples, f"nothing of {one.name}")
        need({"TYPE", "HELP"} <= set(one.meta), f"not described: {one.name}")
        need(("UNIT" in one.meta) == one.name.endswith("_seconds"), f"unit of {one.name}")
    return families
