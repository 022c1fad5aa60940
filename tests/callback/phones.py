"""Phones and the switches before them: sipp processes, one a call, each playing one of scenarios/*.xml."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

SIPP = "sipp"
SCENARIOS = Path(__file__).parent / "scenarios"
LIFE_SECONDS_MAX = 90  # a phone whose call never comes or never ends fails by itself


@dataclass
class Phone:
    """A running sipp. It exits 0 when its calls, one as a rule, went exactly as its scenario says, to the last message."""

    scenario: str
    sip_port: int
    media_port: int
    folder: Path
    process: subprocess.Popen[bytes]
    table: str = "udp"  # of /proc/net, where its socket is listed

    @classmethod
    def start(
        cls,
        scenario: str,
        sip_port: int,
        media_port: int,
        folder: Path,
        calls: int = 1,
        host: str = "127.0.0.1",
        transport: str = "udp",
        media_host: str = "127.0.0.1",
        control_port: int = 0,
        is_asked: bool = False,
        life_seconds: int = LIFE_SECONDS_MAX,
        **variables: int,
    ) -> "Phone":
        """Start a phone at an address, over udp or tcp; its voice is IPv4. `variables` are those its scenario reads, pauses in
        milliseconds among them."""
        folder.mkdir(parents=True, exist_ok=True)
        settings = [word for name, value in variables.items() for word in ("-set", name, str(value))]
        command = [
            *(SIPP, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-m", str(calls), "-nostdin"),
            *(
                "-i",
                host,
                "-t",
                f"{transport[0]}1",
                "-bind_local",
                "-p",
                str(sip_port),
                "-mi",
                media_host,
                "-mp",
                str(media_port),
            ),
            *(("-aa",) if is_asked or scenario.startswith("speaks") else ()),  # it answers OPTIONS: it is there
            *("-cp", str(control_port or media_port + 4), "-timeout", f"{life_seconds}s", "-timeout_error"),
            *("-trace_err", "-error_file", "errors.log", "-trace_msg", "-message_file", "messages.log", *settings),
        ]
        with (folder / "screen.log").open("wb") as screen:
            process = subprocess.Popen(command, cwd=folder, stdout=screen, stderr=subprocess.STDOUT)
        return cls(scenario, sip_port, media_port, folder, process, transport + ("6" if ":" in host else ""))

    def is_listening(self) -> bool:
        """Whether its SIP port is open yet."""
        assert self.process.poll() is None, self.story()
        local = f":{self.sip_port:04X} "
        return any(local in line for line in Path(f"/proc/net/{self.table}").read_text().splitlines())

    def finish(self, seconds_max: float) -> None:
        """Wait for its call to end; fails with its story where the call did not go as the scenario says."""
        try:
            code = self.process.wait(seconds_max)
        except subprocess.TimeoutExpired as stuck:
            raise AssertionError(f"{self.scenario}: its call is still up\n{self.story()}") from stuck
        assert code == 0, f"{self.scenario} exited {code}\n{self.story()}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def story(self) -> str:
        """What it said of its errors and every message it saw."""
        logs = [self.folder / name for name in ("errors.log", "messages.log", "screen.log")]
        return "\n".join(log.read_text(errors="replace")[-6000:] for log in logs if log.exists())
