"""The house rules, held by reading the sources: who imports whom, who reads the clock, how long a file is, what is never written.

The import table is the one of docs/architecture.md.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
LINES_MAX = 500
SOURCES = sorted([*TOP.glob("webcb/**/*.py"), *TOP.glob("rtpbridge/*.py"), TOP / "wsgi.py"])
C_SOURCES = sorted([*TOP.glob("rtpbridge/*.[ch]"), *TOP.glob("tests/**/*.[ch]")])
SCRIPTS = sorted([*TOP.glob("tests/**/*.py"), *TOP.glob("bench/*.py"), TOP / "setup.py"])
BUILT = re.compile(r"rtpbridge/_bridge\.")  # what the compiler makes

VALUES = {"webcb.money", "webcb.number"}
CORRIDOR = {"webcb.clock", "webcb.db", "webcb.doorbell", "webcb.models", "webcb.settings"} | VALUES
BILLING_DOORS = {
    "webcb.billing." + name for name in ("batch", "catalog", "credentials", "ledger", "query", "reception")
}
ENGINE_DOORS = {
    "webcb.engine." + name
    for name in ("exchange", "journal", "line", "lookout", "media", "recovery", "rows", "runner", "transport")
}
OTHER_DOORS = {
    "webcb.cli",
    "webcb.clock",
    "webcb.db",
    "webcb.doorbell",
    "webcb.models",
    "webcb.serve",
    "webcb.settings",
}
DOORS = BILLING_DOORS | ENGINE_DOORS | OTHER_DOORS

OPEN_TO_ALL = {"webcb", "rtpbridge._bridge"}  # the version, and the extension inside its package

# What reaches outside of values: the operating system, the clock, chance, threads, the network, the database.
OUTSIDE = {
    "asyncio", "concurrent", "multiprocessing", "os", "peewee", "queue", "random", "secrets", "select", "selectors", "signal",
    "socket", "sqlite3", "ssl", "subprocess", "threading", "time",
}  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """Which modules of the house a room's files may import (a name stands for all below it), and what they never do."""

    room: str
    may_import: frozenset[str]
    pure: bool


def rule(room: str, *may_import: str, pure: bool = False) -> Rule:
    return Rule(room, frozenset(may_import), pure)


# The first rule whose room is the module, or a package above it, holds; doors stand before their room.
RULES = [
    rule("webcb.money", pure=True),
    rule("webcb.number", pure=True),
    rule("webcb.clock"),
    rule("webcb.settings"),
    rule("webcb.doorbell"),
    rule("webcb.db", "webcb.clock"),
    rule("webcb.models", "webcb.db"),
    rule("webcb.sip", "webcb.sip", pure=True),
    *[rule(door, "webcb.billing", "webcb.models", "webcb.db", *VALUES) for door in sorted(BILLING_DOORS)],
    rule("webcb.billing", "webcb.billing", *VALUES, pure=True),
    *[
        rule(door, "webcb.engine", "webcb.sip", "webcb.billing", *CORRIDOR, "webcb.doorbell", "rtpbridge")
        for door in sorted(ENGINE_DOORS)
    ],
    rule("webcb.engine", "webcb.engine", "webcb.sip.events", "webcb.sip.uri", "webcb.billing", *VALUES, pure=True),
    rule("webcb.web", "webcb.web", "webcb.billing", "webcb.doorbell", *CORRIDOR),
    rule("webcb.provisioning.document", "webcb.provisioning", "webcb.billing", *VALUES, pure=True),
    rule("webcb.provisioning", "webcb.provisioning", "webcb.billing", *CORRIDOR),
    rule("webcb.demo", "webcb.demo", "webcb.sip", "webcb.billing", "webcb.provisioning", "webcb.serve", *CORRIDOR),
    rule("webcb.serve", *CORRIDOR),
    rule("webcb.cli", "webcb"),
    rule("webcb"),
    rule("rtpbridge", "rtpbridge"),
    rule("wsgi", "webcb.web"),
]


def module_name(path: Path) -> str:
    parts = path.relative_to(TOP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def within(module: str, packages: frozenset[str] | set[str]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def rule_of(module: str) -> Rule:
    return next(each for each in RULES if within(module, {each.room}))


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module a file imports, at the top or inside a function; `from a import b` is a.b where that is a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are written in full"
            for alias in node.names:
                yield f"{node.module}.{alias.name}" if is_module(f"{node.module}.{alias.name}") else str(node.module)


def is_module(name: str) -> bool:
    path = TOP.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def places(path: Path, tree: ast.AST, wanted: object) -> list[str]:
    """`file:line` of every node the predicate wants."""
    assert callable(wanted)
    return [
        f"{path.relative_to(TOP)}:{node.lineno}" for node in ast.walk(tree) if hasattr(node, "lineno") and wanted(node)
    ]


def shown(path: Path) -> str:
    return str(path.relative_to(TOP))


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_a_file_imports_what_its_room_may(path: Path) -> None:
    module = module_name(path)
    allowed = rule_of(module)
    inside = {name for name in imports(parsed(path)) if name.split(".")[0] in ("webcb", "rtpbridge", "wsgi")}
    foreign = {name for name in inside if not within(name, allowed.may_import) and name not in OPEN_TO_ALL}
    assert not foreign, f"{module} is of {allowed.room} and may not import {sorted(foreign)}"


@pytest.mark.parametrize("path", [path for path in SOURCES if rule_of(module_name(path)).pure], ids=shown)
def test_a_pure_file_opens_no_door(path: Path) -> None:
    names = set(imports(parsed(path)))
    assert not {name for name in names if within(name, DOORS)}
    assert not {name for name in names if name.split(".")[0] in OUTSIDE}


def test_the_rules_bite() -> None:
    """A wrong import of every kind is seen: the table above is not satisfied by everything."""
    sip = set(imports(ast.parse("from webcb import money\nimport socket\ndef f():\n    from webcb.db import writing")))
    assert sip == {"webcb.money", "socket", "webcb.db"}
    assert not within("webcb.money", rule_of("webcb.sip.uri").may_import)
    assert not within("webcb.billing.ledger_rows", {"webcb.billing.ledger"})
    assert rule_of("webcb.billing.rating").pure
    assert not rule_of("webcb.billing.ledger").pure
    assert not within("webcb.engine.callback", rule_of("webcb.web.trigger").may_import)


@pytest.mark.parametrize("path", [path for path in SOURCES if path.parts[-2] != "rtpbridge"], ids=shown)
def test_only_the_clock_reads_the_time(path: Path) -> None:
    if module_name(path) == "webcb.clock":
        return
    tree = parsed(path)
    assert "time" not in set(imports(tree)), "webcb.clock is the only caller of time"
    reads = places(
        path,
        tree,
        lambda node: (
            isinstance(node, ast.Attribute)
            and node.attr in ("now", "utcnow", "today")
            and isinstance(node.value, ast.Name)
            and node.value.id in ("datetime", "date")
        ),
    )
    assert not reads


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_only_the_settings_read_the_environment(path: Path) -> None:
    # The supervisor and the demo hand an environment on to the processes they start; they read no setting from it.
    if module_name(path) in ("webcb.settings", "webcb.serve") or within(module_name(path), {"webcb.demo"}):
        return
    reads = places(
        path,
        parsed(path),
        lambda node: isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "putenv"),
    )
    assert not reads


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS, *C_SOURCES], ids=shown)
def test_a_file_is_one_thought(path: Path) -> None:
    if not BUILT.search(shown(path)):
        assert len(path.read_text().splitlines()) <= LINES_MAX


VAGUE = {"util", "utils", "helper", "helpers", "common", "manager", "handler", "handlers", "data", "info", "misc"}


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS, *C_SOURCES], ids=shown)
def test_names_say_what_a_thing_is(path: Path) -> None:
    assert path.stem not in VAGUE
    if path.suffix == ".py":
        vague = re.compile(rf"(?:{'|'.join(VAGUE)})$", re.IGNORECASE)
        assert not places(path, parsed(path), lambda node: isinstance(node, ast.ClassDef) and vague.search(node.name))


# Written in two halves, so that this file may stand in the list it holds.
NEVER = [
    re.compile("\\b(?:TO" + "DO|FIX" + "ME|X" + "XX|HA" + "CK)\\b"),
    re.compile("pytest\\.(?:mark\\.)?(?:sk" + "ip|xf" + "ail|import" + "orskip)|unittest\\.sk" + "ip"),
    re.compile("/wo" + "rk/|/ro" + "ot/|/ho" + "me/[a-z]"),
    re.compile("issues sh" + "ow|/opt/py" + "pi"),
]
TEXTS = sorted(
    path
    for pattern in (
        "*.*", "Makefile", ".ci/*", "bench/*", "deploy/*", "docs/**/*", "rtpbridge/*", "tests/**/*", "webcb/**/*"
    )
    for path in TOP.glob(pattern)
    if path.suffix in {"", ".c", ".cfg", ".css", ".h", ".html", ".in", ".js", ".md", ".py", ".sql", ".toml", ".xml", ".yaml", ".yml"}
    and path.is_file()
    and not BUILT.search(str(path))
)  # fmt: skip


@pytest.mark.parametrize("path", TEXTS, ids=shown)
def test_nothing_half_built_or_of_one_machine_is_written(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        for never in NEVER:
            assert not never.search(line), f"{shown(path)}:{number}: {line.strip()}"


DOCUMENTED = {"webcb.sip", "webcb.billing", "webcb.engine", "webcb.money", "webcb.number", "webcb.clock", "rtpbridge"}


def callables(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """The functions of a module and the classes that act; a class of bare fields may leave it to its name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(node, ast.ClassDef) and any(isinstance(each, ast.FunctionDef) for each in node.body)
        ):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_what_others_call_says_what_it_is(path: Path) -> None:
    tree = parsed(path)
    assert ast.get_docstring(tree), "a module says what lives in it"
    if not within(module_name(path), DOCUMENTED):
        return
    silent = [
        f"{shown(path)}:{node.lineno}: {node.name} says nothing of itself"
        for node in callables(tree)
        if not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert not silent
