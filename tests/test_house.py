"""The house rules, held by reading the sources: who imports whom, who reads the clock, how long a file is, what is never written.

The import table is the one of docs/architecture.md.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TOP = Path(__file__).parent.parent
LINES_MAX = 500
BUILT = "rtpbridge/_bridge."  # what the compiler makes
SOURCES = sorted([*TOP.glob("webcb/**/*.py"), *TOP.glob("rtpbridge/*.py"), TOP / "wsgi.py"])
C_SOURCES = sorted(
    path for folder in ("rtpbridge", "tests") for path in TOP.glob(f"{folder}/**/*.[ch]") if BUILT not in str(path)
)
SCRIPTS = sorted([*TOP.glob("tests/**/*.py"), *TOP.glob("bench/*.py"), TOP / "setup.py"])

VALUES = {
    "webcb.brand",
    "webcb.camara",
    "webcb.capture",
    "webcb.fleet",
    "webcb.ladder",
    "webcb.money",
    "webcb.number",
    "webcb.opinion",
    "webcb.translation",
    "webcb.webhook",
}
CORRIDOR = {
    "webcb.clock",
    "webcb.db",
    "webcb.doorbell",
    "webcb.haste",
    "webcb.jobs",
    "webcb.models",
    "webcb.pool",
    "webcb.settings",
    "webcb.sinks",
    "webcb.sales",
    "webcb.table",
    "webcb.triggers",
    "webcb.__main__",
    "webcb.past",
    "webcb.watchdog",
    "webcb.watching",
} | VALUES
BILLING_DOORS = {
    "webcb.billing." + name
    for name in (
        "archived",
        "asks",
        "batch",
        "books",
        "catalog",
        "credentials",
        "hosted",
        "ledger",
        "payments",
        "recovery",
        "query",
        "rate_import",
        "rate_staging",
        "reception",
        "route_choices",
        "settlement",
        "voucher",
        "statement",
        "never",
        "trusted",
        "proof",
        "code_call",
        "spending",
        "facts",
        "erasure",
        "personal",
        "tally",
    )
}
ENGINE_DOORS = {
    "webcb.engine." + name
    for name in (
        "archive",
        "calls",
        "counted",
        "doubt",
        "exchange",
        "figures",
        "hearing",
        "addresses",
        "revival",
        "sealing",
        "start",
        "steps",
        "journal",
        "line",
        "offers",
        "lease",
        "lookout",
        "media",
        "names",
        "neighbours",
        "ports",
        "prober",
        "registrar",
        "recovery",
        "succession",
        "resumption",
        "rows",
        "runner",
        "shares",
        "spool",
        "turns",
        "standing",
        "running",
        "starts",
        "stream",
        "transport",
        "trust",
    )
}
OTHER_DOORS = {
    "webcb.__main__",
    "webcb.past",
    "webcb.checking.certificates",
    "webcb.checking.checkup",
    "webcb.checking.host",
    "webcb.checking.pages",
    "webcb.checking.service",
    "webcb.clerk",
    "webcb.cli",
    "webcb.clock",
    "webcb.db",
    "webcb.doorbell",
    "webcb.haste",
    "webcb.jobs",
    "webcb.keeping",
    "webcb.models",
    "webcb.operators",
    "webcb.pool",
    "webcb.owners",
    "webcb.prompts.library",
    "webcb.prompts.synthesis",
    "webcb.prompts.__main__",
    "webcb.serve",
    "webcb.settings",
    "webcb.sinks",
    "webcb.table",
    "webcb.watchdog",
    "webcb.watching",
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
    rule("webcb.camara", pure=True),
    rule("webcb.capture", "webcb.ladder", pure=True),
    rule("webcb.ladder", pure=True),
    rule("webcb.fleet", pure=True),
    rule("webcb.money", pure=True),
    rule("webcb.number", pure=True),
    rule("webcb.opinion", pure=True),
    rule("webcb.brand", pure=True),
    rule("webcb.translation", pure=True),
    rule("webcb.webhook", pure=True),
    rule("webcb.client", "webcb.clock", "webcb.webhook"),
    rule("webcb.clock"),
    rule("webcb.settings"),
    rule("webcb.doorbell", "webcb.pool"),
    rule("webcb.watchdog"),
    rule("webcb.haste"),
    rule("webcb.pool"),
    rule("webcb.db", "webcb.clock", "webcb.pool"),
    rule("webcb.table", "webcb.db"),
    rule("webcb.operators", "webcb.table"),
    rule("webcb.owners", "webcb.table"),
    rule(
        "webcb.models",
        "webcb.__main__",
        "webcb.past",
        "webcb.operators",
        "webcb.owners",
        "webcb.registers",
        "webcb.sales",
        "webcb.table",
        "webcb.triggers",
    ),
    rule("webcb.sales", "webcb.operators", "webcb.registers", "webcb.table"),
    rule("webcb.triggers", "webcb.sales", "webcb.table"),
    rule("webcb.past", "webcb.sales", "webcb.table"),
    rule("webcb.registers", "webcb.table"),
    rule("webcb.jobs", "webcb.db", "webcb.models"),
    rule("webcb.sinks", "webcb.db", "webcb.models", "webcb.webhook"),
    rule("webcb.sip", "webcb.sip", pure=True),
    *[rule(door, "webcb.billing", "webcb.jobs", "webcb.models", "webcb.db", *VALUES) for door in sorted(BILLING_DOORS)],
    rule("webcb.billing", "webcb.billing", *VALUES, pure=True),
    *[
        rule(door, "webcb.engine", "webcb.sip", "webcb.billing", "webcb.prompts", *CORRIDOR, "rtpbridge")
        for door in sorted(ENGINE_DOORS)
    ],
    rule(
        "webcb.engine",
        "webcb.engine",
        "webcb.sip.caller",
        "webcb.sip.events",
        "webcb.sip.uri",
        "webcb.billing",
        *VALUES,
        pure=True,
    ),
    rule("webcb.prompts.catalogue", pure=True),
    rule("webcb.prompts", "webcb.prompts", "webcb.settings", "rtpbridge"),
    rule("webcb.web", "webcb.web", "webcb.billing", "webcb.prompts", "webcb.provisioning", *CORRIDOR),
    rule("webcb.provisioning.document", "webcb.provisioning", "webcb.billing", *VALUES, pure=True),
    rule("webcb.provisioning", "webcb.provisioning", "webcb.billing", *CORRIDOR),
    rule("webcb.demo", "webcb.demo", "webcb.sip", "webcb.billing", "webcb.provisioning", "webcb.serve", *CORRIDOR),
    rule("webcb.clerk", "webcb.clerk", "webcb.billing", "webcb.keeping", *CORRIDOR),
    rule("webcb.watching.counting"),
    rule("webcb.watching.log", *VALUES),
    rule("webcb.watching", "webcb.watching", "webcb.billing", *CORRIDOR),
    rule("webcb.keeping", "webcb.keeping", "webcb.billing", *CORRIDOR),
    rule("webcb.checking.areas", pure=True),
    rule("webcb.checking.finding", pure=True),
    rule(
        "webcb.checking",
        "webcb.checking",
        "webcb.billing",
        "webcb.engine.runner",
        "webcb.engine.spool",
        "webcb.engine.succession",
        "webcb.engine.transport",
        "webcb.engine.trust",
        "webcb.prompts",
        "webcb.serve",
        *CORRIDOR,
        "rtpbridge",
    ),
    rule("webcb.serve", *CORRIDOR),
    rule("webcb.cli", "webcb", "rtpbridge"),
    rule(
        "webcb.__main__",
        "webcb.cli",
        "webcb.settings",
        "webcb.haste",
        "webcb.engine.start",
        "webcb.engine.steps",
    ),
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


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


@cache
def imported(path: Path) -> frozenset[str]:
    return frozenset(imports(parsed(path)))


def place(path: Path, line: int, what: str) -> str:
    return f"{path.relative_to(TOP)}:{line}: {what}"


def attributes(path: Path, names: set[str], of: set[str] | None = None) -> Iterator[str]:
    """Every place where one of these attributes is taken, of one of these names or of anything."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Attribute) and node.attr in names:
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if of is None or owner in of:
                yield place(path, node.lineno, f"{owner}.{node.attr}")


# Who imports whom ----------------------------------------------------------------------------------------------------


def test_a_file_imports_what_its_room_may() -> None:
    wrong = [
        place(path, 1, f"{module_name(path)} is of {room.room} and may not import {name}")
        for path in SOURCES
        for room in [rule_of(module_name(path))]
        for name in imported(path)
        if name.split(".")[0] in ("webcb", "rtpbridge", "wsgi")
        if not within(name, room.may_import) and name not in OPEN_TO_ALL
    ]
    assert not wrong


def test_a_pure_file_opens_no_door() -> None:
    wrong = [
        place(path, 1, f"is pure and imports {name}")
        for path in SOURCES
        if rule_of(module_name(path)).pure
        for name in imported(path)
        if within(name, DOORS) or name.split(".")[0] in OUTSIDE
    ]
    assert not wrong


def test_the_rules_bite() -> None:
    """A wrong import of every kind is seen: the table above is not satisfied by everything."""
    sip = set(imports(ast.parse("from webcb import money\nimport socket\ndef f():\n    from webcb.db import writing")))
    assert sip == {"webcb.money", "socket", "webcb.db"}
    assert not within("webcb.money", rule_of("webcb.sip.uri").may_import)
    assert not within("webcb.billing.ledger_rows", {"webcb.billing.ledger"})
    assert rule_of("webcb.billing.rating").pure
    assert not rule_of("webcb.billing.ledger").pure
    assert not within("webcb.engine.callback", rule_of("webcb.web.trigger").may_import)


def test_every_door_is_there() -> None:
    """A door that has moved away leaves no name behind under which something else could come in."""
    planned = {"webcb.billing.batch"}  # the account generator's
    assert sorted(door for door in DOORS - planned if not is_module(door)) == []


def test_only_the_clock_reads_the_time() -> None:
    wrong = []
    for path in SOURCES:
        if path.parent != TOP / "rtpbridge" and module_name(path) != "webcb.clock":
            wrong += [place(path, 1, "imports time")] if "time" in imported(path) else []
            wrong += attributes(path, {"now", "utcnow", "today"}, {"datetime", "date"})
    assert not wrong


def test_only_the_settings_read_the_environment() -> None:
    # The supervisor and the demo hand an environment on to the processes they start, what is counted one to a library; they
    # read no setting from it.
    hand_it_on = {"webcb.settings", "webcb.serve", "webcb.watchdog", "webcb.demo", "webcb.watching.counting"}
    wrong = [
        each
        for path in SOURCES
        if not within(module_name(path), hand_it_on)
        for each in attributes(path, {"environ", "environb", "getenv", "putenv"})
    ]
    assert not wrong


# How it is written ---------------------------------------------------------------------------------------------------

VAGUE = {"util", "utils", "helper", "helpers", "common", "manager", "handler", "handlers", "data", "info", "misc"}
CLASS = re.compile(r"\s*class (\w+)[(:]")
VAGUE_CLASS = re.compile(rf"(?:{'|'.join(VAGUE)})$", re.IGNORECASE)


def test_a_file_is_one_thought() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in [*SOURCES, *SCRIPTS, *C_SOURCES]}
    assert not [place(path, count, "is too long") for path, count in lines.items() if count > LINES_MAX]


def test_names_say_what_a_thing_is() -> None:
    wrong = [place(path, 1, "says nothing") for path in [*SOURCES, *SCRIPTS, *C_SOURCES] if path.stem in VAGUE]
    wrong += [
        place(path, number, said[1])
        for path in [*SOURCES, *SCRIPTS]
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (said := CLASS.match(line)) and VAGUE_CLASS.search(said[1])
    ]
    assert not wrong


# Written in two halves, so that this file may stand in the list it holds.
NEVER = re.compile(
    "|".join(
        [
            "\\b(?:TO" + "DO|FIX" + "ME|X" + "XX|HA" + "CK)\\b",
            "pytest\\.(?:mark\\.)?(?:sk" + "ip|xf" + "ail|import" + "orskip)|unittest\\.sk" + "ip",
            "/wo" + "rk/|/ro" + "ot/|/ho" + "me/[a-z]|/opt/py" + "pi",
            "issues sh" + "ow",
        ]
    )
)
ROOMS = ("bench", "deploy", "docs", "rtpbridge", "tests", "webcb")
WRITTEN = ["*.*", "Makefile", ".ci/*", *(f"{room}/**/*" for room in ROOMS)]
NOT_TEXT = {
    ".csv",
    ".dat",
    ".msg",
    ".o",
    ".pcap",
    ".png",
    ".pyc",
    ".so",
    ".wav",
    ".webp",
}  # and what others have measured


def test_nothing_half_built_or_of_one_machine_is_written() -> None:
    wrong = [
        place(path, number, line.strip())
        for pattern in WRITTEN
        for path in TOP.glob(pattern)
        if path.is_file() and path.suffix not in NOT_TEXT and BUILT not in str(path)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if NEVER.search(line)
    ]
    assert not wrong


DOCUMENTED = {"webcb.sip", "webcb.billing", "webcb.engine", "webcb.money", "webcb.number", "webcb.clock", "rtpbridge"}


def callables(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """The functions of a module and the classes that act; a class of bare fields may leave it to its name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(node, ast.ClassDef) and any(isinstance(each, ast.FunctionDef) for each in node.body)
        ):
            yield node


def test_what_others_call_says_what_it_is() -> None:
    wrong = [
        place(path, 1, "a module says what lives in it") for path in SOURCES if not ast.get_docstring(parsed(path))
    ]
    wrong += [
        place(path, node.lineno, f"{node.name} says nothing of itself")
        for path in SOURCES
        if within(module_name(path), DOCUMENTED)
        for node in callables(parsed(path))
        if not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert not wrong
