"""What Celery loads in every worker because celery-bench is installed: next to nothing."""

import subprocess
import sys
from importlib.metadata import entry_points


def imported(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after the last line of the code and not before it."""
    before, _, last = code.rpartition("\n")
    text = f"import sys\n{before}\nfirst = set(sys.modules)\n{last}\nprint(*set(sys.modules) - first)"
    done = subprocess.run([sys.executable, "-P", "-c", text], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_it_brings_itself_and_nothing_else_into_a_process_that_knows_click():
    assert imported("import click\nimport celery_bench.command") == {"celery_bench", "celery_bench.command"}


def test_celery_finds_it_under_a_name_that_is_nobody_elses():
    (plugin,) = entry_points(group="celery.commands", name="bench")
    assert plugin.value == "celery_bench.command:bench"
    loaded = imported("import importlib.metadata\nimport celery.bin.celery")
    assert "celery_bench" in loaded
    theirs = {name for name in loaded if name.partition(".")[0] in ("bench", "numpy", "pandas", "pydantic")}
    assert not theirs, "also `bench`: somebody's own package may be called so"
