"""``tune`` on real workers, where the answer is known: tasks that wait are done sooner by more threads."""

import json
import os
import subprocess
import sys
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("celery-bench"))
ASKED = """\
question: How many threads?
workload: {task: io.sleep, kwargs: {seconds: 0.2}}
load: {shape: flood, tasks: 24}
workers: {pool: threads}
tune: {workers.concurrency: [2, 20]}
"""


def test_more_threads_win_where_tasks_wait(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(ASKED)
    words = [
        "tune",
        "s.yaml",
        "--minimize",
        "makespan",
        "--budget",
        "35s",
        "--subject-to",
        "memory < 2GiB",
        "--json",
    ]
    done = subprocess.run(
        [COMMAND, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["state"], found["advised"]["settings"]) == ("confirmed", {"workers.concurrency": 20})
    assert found["default"]["settings"]["workers.concurrency"] == os.cpu_count()
    against = {v["other"]["workers.concurrency"]: v for v in found["versus"]}
    default = against[found["default"]["settings"]["workers.concurrency"]]
    assert default["upper"] < 0.5, "20 threads against two"
    assert found["advised"]["metrics"]["makespan"]["trials"] >= 3
