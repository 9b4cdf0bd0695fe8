"""``show``, ``list``, ``report``: what runs found, again."""

from pathlib import Path

import click

from bench.cli.common import show_listing, show_run


@click.command()
@click.argument("run", default="latest")
@click.option("--json", "as_json", is_flag=True, help="Every cell and metric with its interval, SI units.")
@click.pass_obj
def show(places: dict[str, Path], run: str, as_json: bool) -> None:
    """Print every cell and every metric of RUN (a name, a path or `latest`) with its interval."""
    from bench import store

    show_run(store.open_run(places["results"], run), as_json=as_json, every=True)


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def list_(places: dict[str, Path], as_json: bool) -> None:
    """List the runs, newest first."""
    from bench import store

    nothing = f"No runs in {places['results']}/ yet. Make one: celery-bench run quickstart"
    show_listing(store.list_runs(places["results"]), nothing, as_json=as_json)


@click.command()
@click.argument("run", default="latest")
@click.pass_obj
def report(places: dict[str, Path], run: str) -> None:
    """Write the report of RUN: one HTML page, Markdown, CSV and the charts."""
    from bench import store
    from bench.report import page, tuned_page
    from bench.search import tuned

    found = store.open_run(places["results"], run)
    if "tune" in found.meta:
        click.echo(tuned_page.write(tuned.of_run(found), places["reports"]))
    else:
        click.echo(page.write(found, places["reports"]))
