"""A comparison as a folder: ``index.html``, ``compare.md``, ``compare.json`` and the pictures."""

from pathlib import Path

from bench import store
from bench.compare import Comparison
from bench.report import comparison, folder, page
from bench.report.charts import slug
from bench.report.compare_charts import charts


def write(found: Comparison, runs: tuple[store.Run, store.Run], reports_root: Path) -> Path:
    """Write ``reports_root/compare-…/`` and return its ``index.html``; ``runs`` of base and candidate.

    Raises EnvironmentFault where nothing can be written.
    """
    sides = [found.base, found.candidate] if not found.by else [runs[0].name, found.by, found.base]
    name = "-".join(["compare", *map(slug, sides)])
    return folder.write(reports_root, name, lambda path: _fill(found, runs, path))


def _fill(found: Comparison, runs: tuple[store.Run, store.Run], path: Path) -> None:
    page.fill(
        path,
        "compare",
        comparison.as_markdown(found),
        comparison.as_json(found),
        title=comparison.title(found),
        summary=comparison.summary(found),
        differences=found.matched.differences,
        pictures=page.pictures(charts(found, runs), path),
        headings=comparison.HEADINGS,
        rows=comparison.rows(found),
        lonely=comparison.lonely(found),
        how=comparison.how(found),
        doubts=found.doubts,
    )
