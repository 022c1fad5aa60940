"""The reference of docs/commands.md, made of what the commands say of themselves."""

import inspect

import click

from webcb.cli import commands


def command_reference() -> str:
    """A section for every command: what it does, how it is written, its arguments and options."""
    commands.read_in()
    return "\n".join(_section(command, f"webcb {name}") for name, command in commands.commands.items())


def _section(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name)
    options = [option for option in command.params if isinstance(option, click.Option)]
    pieces = [piece for piece in command.collect_usage_pieces(context) if options or piece != "[OPTIONS]"]
    usage = " ".join([name, *pieces])
    parts = [f"### {name}\n", f"{inspect.cleandoc(command.help or '')}\n", f"```\n{usage}\n```\n"]
    if options:
        rows = "".join(_row(option, context) for option in options)
        parts.append(f"| option | |\n|---|---|\n{rows}")
    if isinstance(command, click.Group):
        parts += [_section(each, f"{name} {inner}") for inner, each in command.commands.items()]
    return "\n".join(parts)


def _row(option: click.Option, context: click.Context) -> str:
    written, said = option.get_help_record(context) or ("", "")
    return f"| `{written.replace('|', ', ')}` | {said} |\n"
