"""Commands of what callers hear: the prompts made once, what recordings replace, what is missing."""

import re
from typing import Any

import click

from webcb.prompts.catalogue import LANGUAGES, texts
from webcb.prompts.library import FOLDER_PATTERN, Library


@click.command()
@click.option(
    "--texts",
    "texts_of",
    type=click.Choice(LANGUAGES),
    help="Only show the names and texts of a language, to record them.",
)
@click.option("--folder", default="", help="Look at this prompts folder, whether or not a voice application uses it.")
def prompts(texts_of: str | None, folder: str) -> int:
    """Make the prompts that are missing, and show what there is.

    They are spoken by eSpeak NG into the data folder, once. A recording <data_dir>/prompts/<folder>/<language>/<name>.wav, mono PCM
    of 16 bits at 8 or 16 kHz, replaces one by its name for the voice applications with that prompts folder. Exit status 1 where a
    prompt is missing or a recording is refused.
    """
    from webcb import settings as reader

    if folder and not re.fullmatch(FOLDER_PATTERN, folder):
        raise click.BadParameter(f"{folder!r}: a name of letters, digits, dots, dashes", param_hint="--folder")
    if texts_of:
        for name, text in texts(texts_of).by_name.items():
            click.echo(f"{name}\t{text}")
        return 0
    found = Library(reader.load().data_dir)
    unmade = found.unmade()
    for place, language in enumerate(unmade, 1):
        click.echo(f"making the prompts of {language}, {place} of {len(unmade)}")
        said = found.make(language)
        if said:
            click.echo(said, err=True)
    folders = [folder] if folder else _folders()
    lacking = [_show(found, each, language) for each in folders or [""] for language in LANGUAGES]
    return 1 if any(lacking) else 0


def _folders() -> list[str]:
    """The prompts folders of the voice applications, where there is a database."""
    from webcb.cli import desk
    from webcb.models import VoiceApplication

    try:
        with desk.opened():
            rows: Any = VoiceApplication.select(VoiceApplication.prompts_folder).distinct().tuples()
            return sorted(folder for (folder,) in rows if folder)
    except click.ClickException:
        return []


def _show(found: Library, folder: str, language: str) -> bool:
    """Whether something is missing or wrong."""
    survey = found.survey(folder, language)
    count = len(texts(language).by_name)
    recorded = f", {len(survey.recorded)} of them recordings of {folder}" if folder else ""
    click.echo(f"{language}  {count - len(survey.missing)} prompts of {count}{recorded}")
    for name in survey.missing:
        click.echo(f"    missing: {name}")
    for problem in survey.problems:
        click.echo(f"    {problem}")
    return bool(survey.missing or survey.problems)


COMMANDS = (prompts,)
