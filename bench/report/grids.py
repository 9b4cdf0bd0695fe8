"""A small table of texts as the terminal and Markdown show it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.report import markdown
from bench.report.phases import Grid

if TYPE_CHECKING:
    from rich.table import Table


def table(grid: Grid, *, wrap: bool = False) -> "Table":
    """For the terminal; ``wrap``: rather break words than let columns become wide."""
    from rich.table import Table
    from rich.text import Text

    found = Table(box=None, padding=(0, 1), header_style="dim", title=grid.title, title_justify="left",
                  title_style="bold")  # fmt: skip
    found.add_column(grid.corner, no_wrap=not wrap)
    for heading in grid.columns:
        found.add_column(heading, justify="right", no_wrap=not wrap)
    for row, texts in grid.rows:
        style = "bold" if row in grid.best else ""
        found.add_row(Text(row, style=style), *(Text(text or "–", style=style) for text in texts))
    return found


def rows(grid: Grid) -> Iterator[str]:
    """For Markdown, a line each."""
    yield f"| {' | '.join((grid.corner, *grid.columns))} |"
    yield f"|{' --- |' * (1 + len(grid.columns))}"
    for row, texts in grid.rows:
        yield f"| {' | '.join(map(markdown.escape, (row, *texts)))} |"
