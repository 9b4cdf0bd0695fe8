"""Measure every figure of ``figures.py``, print one table, and write it into docs/performance.md."""

import os
import sys
from datetime import date
from pathlib import Path

from figures import ALL, Figure
from rich.console import Console
from rich.table import Table

from bench.run import host

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


def main(only: list[str]) -> int:
    """Exit code 0 when every target is met."""
    console = Console()
    figures: list[Figure] = []
    for measure in ALL:
        if only and measure.__name__ not in only:
            continue
        console.print(f"[dim]{measure.__name__}: {(measure.__doc__ or '').splitlines()[0]}[/dim]")
        figures += measure()
    console.print(_table(figures))
    if not only:
        _write(figures)
        console.print(f"Written to docs/{PAGE.name}")
    return 0 if all(figure.met for figure in figures) else 1


def _table(figures: list[Figure]) -> Table:
    table = Table(title="What the harness costs")
    for name in ("figure", "target", "measured", "", "how"):
        table.add_column(name, overflow="fold")
    for f in figures:
        mark = "[green]met[/green]" if f.met else "[red]missed[/red]"
        table.add_row(f.name, f.target, f.value, mark, f.how)
    return table


def _write(figures: list[Figure]) -> None:
    about, packages = host.fingerprint(), host.versions()
    lines = [
        f"Measured {date.today().isoformat()} with `make perf`: {about['cpu']}, {about['cores']} cores, "
        f"load average {os.getloadavg()[0]:.1f} at the end, Python {about['python']}, "
        f"Celery {packages['celery']}, kombu {packages['kombu']}.",
        "",
        "| figure | target | measured | | how |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {f.name} | {f.target} | **{f.value}** | {'met' if f.met else 'missed'} | {f.how} |"
            for f in figures
        ),
    ]
    PAGE.write_text(between(PAGE.read_text(), "measured", "\n".join(lines)))


def between(page: str, mark: str, text: str) -> str:
    """The page with ``text`` between the two comments of this name."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    head, _, rest = page.partition(begin)
    return f"{head}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
