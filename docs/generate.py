"""Writes the generated parts of docs/ again: the keys of scenario files and the pages of the command line."""

from collections.abc import Iterator
from pathlib import Path

import click

from bench.cli import cli
from bench.scenario.schema import update

DOCS = Path(__file__).parent
HEAD = "# The command line\n\nWritten by `make docs` from the commands' own help.\n"


def command_line() -> str:
    """docs/cli.md: the help of every command, as it is printed."""
    with click.Context(cli, info_name="celery-bench", **cli.context_settings) as top:
        parts = [HEAD, f"```\n{_help(cli, top)}\n```\n"]
        for name in cli.list_commands(top):
            command = cli.get_command(top, name)
            assert command is not None
            with click.Context(command, info_name=name, parent=top) as context:
                parts.append(f"## celery-bench {name}\n\n```\n{_help(command, context)}\n```\n")
                parts += _subcommands(command, context)
    return "\n".join(parts)


def _subcommands(command: click.Command, context: click.Context) -> Iterator[str]:
    """The help of each verb of a group."""
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        verb = command.get_command(context, name)
        assert verb is not None
        with click.Context(verb, info_name=name, parent=context) as inner:
            yield f"### {inner.command_path}\n\n```\n{_help(verb, inner)}\n```\n"


def _help(command: click.Command, context: click.Context) -> str:
    context.terminal_width = 100
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


if __name__ == "__main__":
    update(DOCS / "scenarios.md")
    (DOCS / "cli.md").write_text(command_line(), encoding="utf-8")
