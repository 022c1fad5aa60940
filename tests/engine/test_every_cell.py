"""Every step of a callback times everything that can happen in it, in virtual time; each cell's outcome stands in cells.csv.

The table is complete by construction: its rows must be the product of STEPS and EVENTS. In each of them the laws hold besides: no leg
is up, no funds are locked, the books are right, a leg that was placed has one xDR. `python -m tests.engine.test_every_cell` writes the
table as it comes out now: read every line that it changes.
"""

import csv
import tempfile
from pathlib import Path

import pytest

from tests.engine.ears import HearingWorld
from tests.engine.laws import assert_laws, on_a_file
from tests.engine.scenes import CANNOT_BE, EVENTS, STEPS, Outcome, happen, play

CELLS = Path(__file__).with_name("cells.csv")
HEADER = ("kind", "step", "event", "ending", "from us", "heard", "bill")

Cell = tuple[str, str, str]


def read_cells() -> dict[Cell, Outcome]:
    with CELLS.open(newline="") as file:
        header, *lines = csv.reader(file)
    assert tuple(header) == HEADER
    cells: dict[Cell, Outcome] = {(kind, step, event): Outcome(*outcome) for kind, step, event, *outcome in lines}
    assert len(cells) == len(lines), "a cell stands twice"
    return cells


def all_cells() -> list[Cell]:
    return [(kind, step, event) for kind, steps in STEPS.items() for step in steps for event in EVENTS]


def come_out(world: HearingWorld, cell: Cell) -> Outcome:
    """Let the event of a cell happen at its step, and hold the laws."""
    kind, step, event = cell
    stage = play(world, STEPS[kind][step])
    outcome = happen(stage, event)
    if outcome != CANNOT_BE:
        assert_laws(stage)
    return outcome


def test_the_table_is_complete() -> None:
    assert list(read_cells()) == all_cells()


@pytest.mark.parametrize("step", [(kind, step) for kind, steps in STEPS.items() for step in steps], ids="-".join)
def test_a_step(step: tuple[str, str], tmp_path: Path) -> None:
    expected = read_cells()
    for number, event in enumerate(EVENTS):
        cell = (*step, event)
        with on_a_file(tmp_path / f"{number}.sqlite") as world:
            assert come_out(world, cell) == expected[cell], cell


def write() -> None:
    with CELLS.open("w", newline="") as file, tempfile.TemporaryDirectory() as folder:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADER)
        for number, cell in enumerate(all_cells()):
            with on_a_file(Path(folder) / f"{number}.sqlite") as world:
                came = come_out(world, cell)
            table.writerow([*cell, came.ending, came.wire, came.heard, came.bill])


if __name__ == "__main__":
    write()
