"""The C on its own, under the address, undefined behaviour and thread sanitizers, and without one warning."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rtpbridge.build import C_FLAGS, C_SOURCES, C_WARNINGS, FOLDER, LIBRARIES
from tests.rtpbridge.building import compile_all, made_once, objects_in

HERE = Path(__file__).resolve().parent
ADDRESS, THREAD = "address,undefined", "thread"
SECONDS_MAX = 120
PINS = "pins"  # stands for a folder where the kernel path keeps its flows
AT_FIXED_ADDRESSES = ["setarch", "-R"]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str, Path], None]:
    """Compiles a program with a sanitizer; the files of the bridge once for all programs, as most of the time goes there."""

    def flags(sanitizer: str) -> list[str]:
        return ["gcc", *C_FLAGS, *C_WARNINGS, "-O1", "-g", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all"]

    def compile_program(source: Path, sanitizer: str, program: Path) -> None:
        folder = made_once(tmp_path_factory, f"sane-{sanitizer}", lambda made: compile_all(flags(sanitizer), made))
        wrapped = sorted(
            set(re.findall(r"^WRAP(?:_SOME)?\([^,]+, (\w+),", source.read_text(encoding="utf-8"), re.MULTILINE))
        )
        subprocess.run(
            [
                *(*flags(sanitizer), f"-I{FOLDER}", str(source), *objects_in(folder)),
                *(f"-Wl,--wrap={name}" for name in wrapped),
                *("-o", str(program), *(f"-l{name}" for name in LIBRARIES)),
            ],
            check=True,
        )

    return compile_program


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The thread sanitizer wants its shadow at fixed places; where the container forbids that, it must do without."""
    fixed = subprocess.run([*AT_FIXED_ADDRESSES, "true"], check=False, capture_output=True).returncode == 0
    command = [*(AT_FIXED_ADDRESSES if fixed else []), str(program), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS_MAX)


@pytest.mark.parametrize(
    ("source", "sanitizer", "arguments"),
    [
        ("churn.c", ADDRESS, ["24000"]),
        ("churn.c", THREAD, ["26000"]),
        ("churn.c", THREAD, ["26000", "epoll"]),
        ("failing.c", ADDRESS, ["25000"]),
        ("failing.c", ADDRESS, ["25000", "epoll"]),
        ("failing.c", ADDRESS, ["25000", PINS]),
        ("junk.c", ADDRESS, ["14099"]),
        ("passing.c", ADDRESS, ["27000", PINS]),
        ("passing.c", THREAD, ["28000", PINS]),
    ],
)
def test_program_is_clean(
    tmp_path: Path, compiled: Callable[[Path, str, Path], None], source: str, sanitizer: str, arguments: list[str]
) -> None:
    program = tmp_path / "program"
    compiled(HERE / source, sanitizer, program)
    pins = tmp_path / "pins"
    try:
        ran = run(program, *(str(pins) if argument == PINS else argument for argument in arguments))
    finally:
        subprocess.run(
            ["umount", str(pins)], check=False, capture_output=True
        )  # what a failure leaves would go on forwarding
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert "Sanitizer" not in ran.stderr, ran.stderr[-4000:]
    assert not pins.exists()


def test_a_sanitizer_sees_what_it_is_there_for(tmp_path: Path) -> None:
    """Without this a switched-off sanitizer would look like clean code."""
    wrong = tmp_path / "wrong.c"
    wrong.write_text("#include <stdlib.h>\nint main(void) { char *a = malloc(1); free(a); return *a; }\n")
    program = tmp_path / "wrong"
    subprocess.run(["gcc", f"-fsanitize={ADDRESS}", "-w", str(wrong), "-o", str(program)], check=True)
    ran = run(program)
    assert ran.returncode != 0 and "heap-use-after-free" in ran.stderr


@pytest.mark.parametrize("compiler", [name for name in ("gcc", "clang") if shutil.which(name)])
def test_no_warning(tmp_path: Path, compiler: str) -> None:
    """What gcc warns of comes also of its optimizing, what clang warns of does not."""
    how = "-c" if compiler == "gcc" else "-fsyntax-only"
    subprocess.run(
        [compiler, *C_FLAGS, *C_WARNINGS, how, *(str(FOLDER / name) for name in C_SOURCES)], check=True, cwd=tmp_path
    )
