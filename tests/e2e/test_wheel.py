"""The wheel, in an environment that holds nothing else, from a folder that holds nothing of ours."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from uv import find_uv_bin

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]
ROOT = Path(__file__).parents[2]


def call(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(w) for w in words], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def modules() -> Iterator[str]:
    """What the wheel has to hold of the tree."""
    for path in (ROOT / "bench").rglob("*"):
        name = path.relative_to(ROOT).as_posix()
        if path.suffix in (".py", ".j2", ".css", ".mplstyle"):
            yield name.replace("bench/plugin/", "celery_bench/")


def test_a_wheel_runs_from_an_empty_folder(tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    call(*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("celery_bench-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {"bench", "celery_bench", f"{wheel.name.split('-py3')[0]}.dist-info"}
    assert {name.split("/")[0] for name in names} == expected, "no name that could be the user's, but `bench`"
    assert names >= {*modules()}, "every room"

    uv = find_uv_bin()
    call(uv, "venv", "--python", sys.executable, tmp_path / "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    call(uv, "pip", "install", "--python", python, "-c", constraints, wheel, cwd=tmp_path)

    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "workloads.py").write_text("raise SystemExit('a module of the user, not ours')\n")
    command = tmp_path / "env" / "bin" / "celery-bench"
    done = call(command, "run", "quickstart", "--quick", "--only", "workers.pool=threads", cwd=empty)
    assert "4 of 4 trials done" in done.stderr
    assert list(empty.glob("reports/*/index.html"))
