"""``baseline save|list|show``: numbers that later runs on the same machine are held against."""

from pathlib import Path

import click

from bench.cli.common import show_listing, show_run


@click.group()
def baseline() -> None:
    """Keep the numbers of a run for `check --baseline`, on a machine of your own.

    \b
    celery-bench run my.yaml --repeats 20
    celery-bench baseline save latest main
    celery-bench check my.yaml --baseline main      later, on the same machine and versions

    Baselines are small and lie in results/baselines/: commit them.
    """


@baseline.command()
@click.argument("run", metavar="RUN")
@click.argument("name")
@click.option("--replace", is_flag=True, help="Put it in the place of a baseline of this name.")
@click.pass_obj
def save(places: dict[str, Path], run: str, name: str, replace: bool) -> None:
    """Keep the numbers of RUN (a name, a path or `latest`) as the baseline NAME."""
    from bench import baselines, store

    kept = baselines.save(store.open_run(places["results"], run), places["results"], name, replace=replace)
    click.echo(kept.path)
    done = len(kept.results())
    if done < kept.planned:
        told = f"It has {done} of {kept.planned} trials: celery-bench run --resume {run} measures the rest."
        click.echo(f"{told} Then save it again, with --replace.", err=True)


@baseline.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def list_(places: dict[str, Path], as_json: bool) -> None:
    """List the baselines, newest first."""
    from bench import baselines

    nothing = "No baselines yet. Keep one: celery-bench baseline save latest NAME"
    show_listing(baselines.known(places["results"]), nothing, as_json=as_json)


@baseline.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Every cell and metric with its interval, SI units.")
@click.pass_obj
def show(places: dict[str, Path], name: str, as_json: bool) -> None:
    """Print every cell and every metric of the baseline NAME."""
    from bench import baselines

    show_run(baselines.find(places["results"], name), as_json=as_json, every=True)
