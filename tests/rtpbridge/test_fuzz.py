"""libFuzzer at all that reads what others send, ten minutes each, under the address and undefined behaviour sanitizers."""

import subprocess
from pathlib import Path

import pytest

from rtpbridge.build import C_FLAGS, C_SOURCES, FOLDER, LIBRARIES

HERE = Path(__file__).resolve().parent
TARGETS = ("rtp", "rtcp", "dtmf", "srtp", "g722")
SECONDS = 600
INPUT_BYTES_MAX = 4_096


@pytest.mark.soak
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_that_is_read_breaks_the_reader(tmp_path: Path, target: str) -> None:
    program = tmp_path / target
    subprocess.run(
        ["clang", *C_FLAGS, "-O1", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
        + ["-Wno-unused-function", f"-DFUZZ=fuzz_{target}", f"-I{FOLDER}", str(HERE / "fuzz.c")]
        + [str(FOLDER / name) for name in C_SOURCES]
        + ["-o", str(program), *(f"-l{name}" for name in LIBRARIES)],
        check=True,
    )
    ran = subprocess.run(
        [str(program), f"-max_total_time={SECONDS}", f"-max_len={INPUT_BYTES_MAX}", "-len_control=10"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr[-6000:]
