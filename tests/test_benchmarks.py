"""The one table of all benchmarks: what is in it, and that one which fails takes nothing from the others."""

import ast
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench import __main__ as bench
from bench.quick import SMALLER
from bench.table import Beside, Outcome, table

FOLDER = Path(bench.__file__).parent


def test_each_figure_stands_beside_its_peer_with_its_ratio_and_aim() -> None:
    rows = (
        Beside("parse", 13.1, "µs", "Sippy", 43.9, aim=0.5),
        Beside("calls", 1_877, "a second", "Sippy", 1_250, "more", 2),
        Beside("CPU", 13, "s", "no relay", 12, of_pairs=1.05),
    )
    said = table([Outcome("sip", 7, rows)]).splitlines()
    assert said[2:] == [
        "| sip | parse | 13.1 µs | Sippy | 43.9 µs | 0.30 | at most 0.5: met |",
        "| sip | calls | 1,877 a second | Sippy | 1,250 a second | 1.50 | at least 2: MISSED |",
        "| sip | CPU | 13 s | no relay | 12 s | 1.05 | less is better |",
    ]


def test_what_fails_is_a_line_and_the_exit_code_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    broken, whole = ModuleType("bench.broken"), ModuleType("bench.whole")
    broken.run = lambda: 1 / 0  # type: ignore[attr-defined]
    whole.run = lambda: {"here": 2.0}  # type: ignore[attr-defined]
    whole.beside = lambda figures: [Beside("it", figures["here"], "ms", "a floor", 1.0)]  # type: ignore[attr-defined]
    for module in (broken, whole):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(bench, "BENCHMARKS", ("broken", "whole", "books"))
    monkeypatch.setattr(sys, "argv", ["bench", "broken", "whole", "--save", str(tmp_path / "latest.json")])
    assert bench.main() == 1
    said = capsys.readouterr().out
    assert "| broken | FAILED: ZeroDivisionError: division by zero | | | | | |" in said
    assert "| whole | it | 2 ms | a floor | 1 ms | 2.00 | less is better |" in said
    assert "| books | left out: not asked for | | | | | |" in said


def test_every_benchmark_of_the_list_has_something_to_stand_beside_and_a_quick_form() -> None:
    """Read, not imported: some want what `make bench` installs."""
    for name in bench.BENCHMARKS:
        there = set()
        for each in ast.parse((FOLDER / f"{name}.py").read_text()).body:
            targets = each.targets if isinstance(each, ast.Assign) else [getattr(each, "target", None)]
            named = [part for target in targets if target for part in ast.walk(target) if isinstance(part, ast.Name)]
            there |= {part.id for part in named} | {getattr(each, "name", "")}
        assert "run" in there, name
        assert name == "sheets" or "beside" in there, name
        assert name == "codecs" or name in SMALLER or "quick" in there, name
        assert set(SMALLER.get(name, {})) <= there, name
