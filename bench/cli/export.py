"""``export``: a run in the formats of other tools."""

from pathlib import Path

import click

from bench.cli.compare import check_metrics
from bench.errors import UsageError

FOLDERS = ("parquet", "hdr")
FORMATS = ("pytest-benchmark", "bmf", *FOLDERS)


@click.command()
@click.argument("run", default="latest")
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="See above.")
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="Export this (again for more): p99(response)."
)
@click.option(
    "--output", "-o", type=click.Path(),
    help="A file, or for parquet and hdr a folder; without it, or with -, JSON is printed.",
)  # fmt: skip
@click.pass_obj
def export(
    places: dict[str, Path], run: str, form: str, metrics: tuple[str, ...], output: str | None
) -> None:
    """Write RUN (a name, a path or `latest`) in the format of another tool.

    \b
    pytest-benchmark   JSON for `pytest-benchmark compare`: a round is a trial, rates as seconds a task
    bmf                Bencher Metric Format: each metric with its interval, SI units
    parquet            trials, tasks and cells, the tables of bench.load(run)
    hdr                a percentile file of HdrHistogram for each duration of each cell, µs
    """
    from bench import disk, store
    from bench.report import exports

    check_metrics(metrics)
    place = _place(output)
    found = store.open_run(places["results"], run)
    if not any(result.ok for result in found.results()):
        raise UsageError(f"{found.name} has no trial that went well.", "Export another run.")
    if form in FOLDERS:
        if place is None:
            raise UsageError(f"{form} is several files.", "Name a folder: --output FOLDER")
        if metrics:
            raise UsageError(f"{form} holds every metric.", "Leave out --metric.")
        with disk.refusals(place):
            place.mkdir(parents=True, exist_ok=True)
            write = exports.parquet if form == "parquet" else exports.histograms
            for path in write(found, place):
                click.echo(path)
        return
    data = exports.bencher(found, metrics) if form == "bmf" else exports.pytest_benchmark(found, metrics)
    if not data or data.get("benchmarks") == []:
        raise UsageError(
            f"No trial of {found.name} has {' or '.join(metrics) or 'a time or a rate'}.",
            "celery-bench show lists what there is, and why a number is missing.",
        )
    for metric, why in exports.left_out(found, metrics, times=form != "bmf"):
        click.echo(f"{metric} {why}: left out.", err=True)
    if place is None:
        click.echo(exports.text(data))
    else:
        with disk.refusals(place):
            place.write_text(exports.text(data) + "\n", encoding="utf-8")
        click.echo(place)


def _place(output: str | None) -> Path | None:
    """Where it is written, None for standard output."""
    if output == "":
        raise UsageError("--output is empty.", "Name a file or a folder, or leave out --output.")
    return None if output in (None, "-") else Path(output)
