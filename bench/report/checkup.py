"""What ``celery-bench doctor`` prints: facts about a machine, the doubts they raise, and the verdict."""

from collections.abc import Collection, Mapping, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench import measured, units

FINE, DOUBTFUL, IMPOSSIBLE = ("✓", "green"), ("!", "yellow"), ("✗", "bold red")


def render(
    facts: Mapping[str, str],
    doubts: Sequence[measured.Doubt],
    *,
    about: Mapping[str, str],
    grave: Collection[str],
    console: Console,
) -> None:
    """``about`` maps a kind of doubt to the line of ``facts`` it speaks of; with one of a kind in ``grave``
    no session can run.
    """
    signs = {doubt.kind: IMPOSSIBLE if doubt.kind in grave else DOUBTFUL for doubt in doubts}
    marked = {
        about[kind]: sign for kind, sign in reversed(signs.items())
    }  # the gravest, which is first, stays
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, text in facts.items():
        sign, style = marked.get(name, FINE)
        table.add_row(Text(sign, style=style), name, Text(text))
    console.print(table)
    for doubt in doubts:
        console.print()
        sign, style = signs[doubt.kind]
        console.print(Text.assemble((f"{sign} ", style), (doubt.text, "bold")))
        console.print(Padding(Text(doubt.advice), (0, 0, 0, 2)))
        console.print(Padding(Text(f"Why: {doubt.source}", style="dim"), (0, 0, 0, 2)))
    console.print()
    console.print(_verdict(len(doubts), IMPOSSIBLE in signs.values()))


def _verdict(doubts: int, impossible: bool) -> Text:
    if impossible:
        return Text("No session can run here as it is.", style=IMPOSSIBLE[1])
    if doubts:
        said = f"{units.plural(doubts, 'doubt')}: what is measured here now may not hold."
        return Text(said, style=DOUBTFUL[1])
    return Text("Fine: nothing speaks against measuring here now.", style=FINE[1])
