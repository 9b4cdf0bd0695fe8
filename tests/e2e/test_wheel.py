"""The wheel, in an environment that holds nothing else, from a folder that holds nothing of ours."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]
ROOT = Path(__file__).parents[2]


def call(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(w) for w in words], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_wheel_runs_from_an_empty_folder(tmp_path):
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    call(*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("celery_bench-*.whl")
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    call(python, "-m", "pip", "install", "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    names = call(python, "-m", "zipfile", "-l", wheel, cwd=tmp_path).stdout
    tops = {line.split("/")[0] for line in names.splitlines()[1:]}
    expected = {"bench", "celery_bench", f"{wheel.name.split('-py3')[0]}.dist-info"}
    assert tops == expected, "no name at the top that could be the user's, but `bench`"

    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "workloads.py").write_text("raise SystemExit('a module of the user, not ours')\n")
    command = tmp_path / "env" / "bin" / "celery-bench"
    done = call(command, "run", "quickstart", "--quick", "--only", "workers.pool=threads", cwd=empty)
    assert "4 of 4 trials done" in done.stderr
    assert list(empty.glob("reports/*/index.html"))
