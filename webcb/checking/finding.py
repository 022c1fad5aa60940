"""What a check-up found: one line each, whether that is as it should be, and what to do about it. Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

State = Literal["ok", "warning", "wrong"]

MARK_CHARACTERS: Final = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is what was looked at, `said` how it stands, `mend` what to do ("": nothing has to be done).

    ok: as it should be; warning: it works, but not as well or not for long; wrong: it does not work, or money does not agree.
    """

    area: str
    subject: str
    state: State
    said: str
    mend: str = ""


def ok(area: str, subject: str, said: str) -> Finding:
    """It is as it should be."""
    return Finding(area, subject, "ok", said)


def warning(area: str, subject: str, said: str, mend: str) -> Finding:
    """It works, but not as well or not for long."""
    return Finding(area, subject, "warning", said, mend)


def wrong(area: str, subject: str, said: str, mend: str) -> Finding:
    """It does not work, or the money does not agree."""
    return Finding(area, subject, "wrong", said, mend)


def are_good(findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong; warnings are no such thing."""
    return all(each.state != "wrong" for each in findings)


def as_text(findings: Sequence[Finding]) -> str:
    """A line for each finding, and below one that is not ok another with what to do."""
    lines = []
    for each in findings:
        lines.append(f"{each.state:<{MARK_CHARACTERS}} {each.subject}: {each.said}")
        if each.mend:
            lines.append(f"{'':<{MARK_CHARACTERS}}   -> {each.mend}")
    return "\n".join(lines)


def as_json(findings: Sequence[Finding]) -> str:
    """An object with `good` and the list of `findings`, their fields by name."""
    return json.dumps({"good": are_good(findings), "findings": [asdict(each) for each in findings]}, indent=2)


def summary(findings: Sequence[Finding]) -> str:
    """How many there are of each, in a line."""
    counted = {state: sum(each.state == state for each in findings) for state in ("ok", "warning", "wrong")}
    plural = "" if counted["warning"] == 1 else "s"
    return f"{counted['ok']} ok, {counted['warning']} warning{plural}, {counted['wrong']} wrong"
