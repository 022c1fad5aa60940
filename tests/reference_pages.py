"""Writes the generated parts of the project anew: `python -m tests.reference_pages`. Tests compare them with what is committed."""

import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from tests.cli.commands_page import command_reference
from tests.data_model import data_model
from webcb import clock, db
from webcb.provisioning import reference
from webcb.provisioning.entries import Account
from webcb.provisioning.triggers import VoiceApplication
from webcb.settings import ENVIRONMENT_PREFIX, Settings
from webcb.watching import counting, tables

TOP = Path(__file__).parent.parent


def setting_table() -> str:
    """A row for every setting: its name, its variable of the environment, its default, what it is for."""
    rows = ["| setting | in the environment | default | what it is for |", "|---|---|---|---|"]
    for setting in fields(Settings):
        default = setting.default
        value = ",".join(map(str, default)) if isinstance(default, tuple) else "" if default is None else str(default)
        shown = f"`{value}`" if value else ""
        rows.append(
            f"| `{setting.name}` | `{ENVIRONMENT_PREFIX}{setting.name.upper()}` | {shown} | {setting.metadata['help']} |"
        )
    return "\n".join(rows)


GUARDED = {
    "all of it": ("asks_per_minute", "concurrent_max", "daily_spend_max"),
    "an account": ("asks_per_minute_account", "concurrent_per_account", "account.daily_spend_max"),
    "A": ("asks_per_minute_a", "concurrent_per_a", "daily_spend_max_a"),
    "B": ("asks_per_minute_b", "concurrent_per_b", "daily_spend_max_b"),
    "a block of a thousand B's": ("asks_per_minute_block", "concurrent_per_block", "daily_spend_max_block"),
    "a source address (IPv6: /64)": ("asks_per_minute_source", "concurrent_per_source", "daily_spend_max_source"),
}


def guard_table() -> str:
    """A row for each whom a limit is for: how often, how many at a time, how much a day, each with its default."""

    def cell(name: str) -> str:
        if not name:
            return ""
        of, _, field = name.rpartition(".")
        default = (Account if of else VoiceApplication).model_fields[field].default
        return f"`{field}`{' of the account' if of else ''}: {'no limit' if default is None else default}"

    rows = ["| of | asks a minute | callbacks at a time | spend a day |", "|---|---|---|---|"]
    return "\n".join([*rows, *(f"| {of} | {' | '.join(map(cell, names))} |" for of, names in GUARDED.items())])


def metric_tables() -> tuple[str, str]:
    """A row for every metric: what the tables tell (of an empty database), and what processes count."""
    with TemporaryDirectory() as folder:
        opened = db.connect(f"sqlite:///{folder}/empty.sqlite")
        db.migrate()
        told = list(tables.Tables(clock.utc_now).collect())
        opened.close()
    counted = counting.Numbers(CollectorRegistry()).registry.collect()
    return _metric_table(told), _metric_table(counted)


def _metric_table(families: Iterable[Metric]) -> str:
    rows = [
        f"| `{family.name}{'_total' if family.type == 'counter' else ''}` | {family.documentation} |"
        for family in families
    ]
    return "\n".join(["| metric | |", "|---|---|", *rows])


def between(text: str, mark: str, generated: str) -> str:
    """The text with what stands between two marks replaced."""
    marked = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- end of {mark} -->)", re.DOTALL)
    return marked.sub(lambda found: f"{found[1]}{generated}\n{found[2]}", text)


def main() -> None:
    (TOP / "webcb/provisioning/schema.json").write_text(reference.schema_text())
    for page, mark, generated in (
        ("docs/provisioning.md", "fields", reference.field_tables()),
        ("docs/commands.md", "commands", command_reference()),
        ("docs/settings.md", "settings", setting_table()),
        ("docs/data-model.md", "model", data_model()),
        ("docs/security.md", "guards", guard_table()),
        ("docs/watching.md", "tables", metric_tables()[0]),
        ("docs/watching.md", "counted", metric_tables()[1]),
    ):
        path = TOP / page
        path.write_text(between(path.read_text(), mark, generated))


if __name__ == "__main__":
    main()
