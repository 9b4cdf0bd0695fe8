"""``celery -A proj bench …``: hands over to celery-bench.

Celery loads this in every worker and for every command, so it imports nothing that Celery has not loaded
before. It is installed as ``celery_bench``: ``bench`` may be what somebody's own package is called, and
Celery loads plug-ins before it looks at the app (docs/decisions/007-the-users-app.md).
"""

import os
import sys

import click


@click.command(
    "bench",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
    short_help="Measure which pool, concurrency and prefetch suit your workload (celery-bench).",
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def bench(context: click.Context, /, words: tuple[str, ...], **_: object) -> None:
    """Become ``celery-bench`` with these words; Celery's ``-A`` is the app of scenarios that name none.

    A fresh process: what Celery imported of the app by now has no place in the harness.
    """
    app = context.parent.params.get("app") if context.parent else None
    named = ["-A", app] if isinstance(app, str) else []
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "bench.cli", *named, *words])
