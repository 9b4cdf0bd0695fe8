"""A clear sentence, the right exit code, no traceback, nothing lost."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bench.model import FORMAT

pytestmark = pytest.mark.real


def test_all_mistakes_at_once_with_file_line_and_path(shell):
    shell.write(
        "bad.yaml",
        "question: q\nworkers: {pool: solo, concurrency: 4, prefetch: -1}\nworkload: {task: io.slep}\n"
        "load: {shape: flood, taks: 10}\n",
    )
    done = shell.run("run", "bad.yaml")
    shell.refused(done, 2, "bad.yaml:2", "bad.yaml:3", "bad.yaml:4", "io.sleep", "tasks", "workers.prefetch")
    assert not (shell.folder / "results").exists()
    assert shell.left() == []


def test_an_unknown_scenario_names_the_shipped_ones(shell):
    shell.refused(shell.run("run", "quikstart"), 2, "quickstart")


def test_a_missing_broker_binary(shell, tiny):
    shell.env["PATH"] = "/nowhere"
    Path(tiny).write_text("broker: redis\n" + Path(tiny).read_text())
    if Path("/usr/sbin/redis-server").exists():
        pytest.skip("redis-server stands where it is always found")
    shell.refused(shell.run("run", tiny), 3, "redis-server is not installed", "valkey")


def test_a_broker_that_does_not_answer_and_its_password(shell, tiny):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"redis://user:hunter2@127.0.0.1:{closed.getsockname()[1]}/0"
        done = shell.run("run", tiny, "--broker", url)
    shell.refused(done, 3, "No broker answers", "***")
    assert "hunter2" not in done.stdout + done.stderr
    for path in shell.folder.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ("redis://user:hunter2@127.0.0.1:1/0", ["redis://user:***@127.0.0.1:1/0: ", "Connection refused."]),
        ("valkey://127.0.0.1:1/0", ["redis://127.0.0.1:1/0: ", "Connection refused."]),
        ("rediss://127.0.0.1:1/0?ssl_cert_reqs=CERT_NONE", ["rediss://127.0.0.1:1/0", "Connection refused."]),
        ("db+foo://x", ["db+foo://x: ", "dialects:foo"]),
        ("db+sqlite:////nowhere/results.sqlite", ["unable to open database file"]),
        ("nosuch://x", ["nosuch://x: ", "No module named 'nosuch'"]),
    ],
)
def test_a_store_of_results_that_does_not_answer(shell, tiny, results, words):
    Path(tiny).write_text(f"messages: {{results: '{results}'}}\n" + Path(tiny).read_text())
    done = shell.run("run", tiny)
    shell.refused(done, 3, "Results cannot be kept at ", *words)
    assert "hunter2" not in done.stderr
    assert not (shell.folder / "results").exists()
    assert shell.left() == []


def test_an_apps_own_store_of_results_that_cannot_be_loaded(shell, tiny):
    shell.write(
        "keeps.py",
        "from celery import Celery\napp = Celery('keeps', broker='amqp://nowhere', backend='nosuch://x')\n"
        "@app.task\ndef one():\n    pass\n",
    )
    shell.write(
        "s.yaml",
        "question: q\napp: keeps\nworkload: {task: keeps.one}\nload: {shape: flood, tasks: 9}\n"
        "messages: {results: app}\n",
    )
    words = ("where the app keeps keeps its own: ModuleNotFoundError: No module named 'nosuch'.",)
    shell.refused(shell.run("run", "s.yaml"), 3, *words)


def test_a_port_that_is_taken(shell, tiny):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        Path(tiny).write_text(f"broker: {{kind: valkey, port: {port}}}\n" + Path(tiny).read_text())
        shell.refused(shell.run("run", tiny), 3, f"port {port}")
    assert shell.left() == []


def test_a_results_folder_that_cannot_be_written(shell, tiny):
    (shell.folder / "results").write_text("a file is in the way")
    shell.refused(shell.run("run", tiny), 2, "results")
    shell.refused(shell.run("--results", "/proc/results", "run", tiny), 3, "/proc")
    assert shell.left() == []


def test_a_full_disk_keeps_what_is_finished(shell, tiny):
    """A results folder on a file system of half a megabyte."""
    mount = shell.folder / "small"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=90k", "none", str(mount)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting needs root")
    try:
        done = shell.run("--results", str(mount), "run", tiny, "--repeats", "5", "--no-report")
        shell.refused(done, 3, "disk")
        shown = shell.run("--results", str(mount), "show", "latest", "--json")
        assert shown.returncode == 0, shown.stderr
        assert sum(cell["trials"] for cell in json.loads(shown.stdout)["cells"]) >= 1
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)
    assert shell.left() == []


def test_a_torn_last_line_is_run_again(shell, tiny):
    assert shell.run("run", tiny, "--no-report").returncode == 0
    (lines,) = (shell.folder / "results").glob("*/trials.jsonl")
    whole = lines.read_bytes()
    lines.write_bytes(whole[:-40])
    shown = json.loads(shell.run("show", "--json").stdout)
    assert sum(cell["trials"] for cell in shown["cells"]) == 3
    assert shell.run("run", "--resume", "latest", "--no-report").returncode == 0
    shown = json.loads(shell.run("show", "--json").stdout)
    assert [cell["trials"] for cell in shown["cells"]] == [2, 2]


def test_ten_thousand_cells_ask_first(shell, tiny):
    text = Path(tiny).read_text().replace("[1, 4]", str(list(range(1, 101))))
    Path(tiny).write_text(text.replace("matrix:\n", f"matrix:\n  load.tasks: {list(range(1, 101))}\n"))
    done = shell.run("run", tiny)
    shell.refused(done, 2, "20000 trials", "--yes")
    assert not (shell.folder / "results").exists()


def test_an_unknown_run_and_an_empty_folder(shell):
    shell.refused(shell.run("show", "nosuch"), 2, "nosuch")
    shell.refused(shell.run("report", "latest"), 2)
    assert shell.run("list").returncode == 0


def test_a_failed_trial_is_told_and_the_session_goes_on(shell, tiny):
    Path(tiny).write_text(Path(tiny).read_text() + "limits: {stall: 1s}\n")
    text = Path(tiny).read_text().replace("{seconds: 0.01}", "{seconds: 5}").replace("tasks: 60", "tasks: 4")
    Path(tiny).write_text(text.replace("repeats: 2", "repeats: 1\nwarmup: {tasks_per_slot: 0}"))
    done = shell.run("run", tiny)
    shell.refused(done, 4, "no completion for 1 s")
    shown = json.loads(shell.run("show", "--json").stdout)
    assert [cell["failed_trials"] for cell in shown["cells"]] == [1, 1]


def test_a_gate_that_fails(shell, tiny):
    Path(tiny).write_text(Path(tiny).read_text() + 'gates: ["throughput > 1000000/s"]\n')
    assert shell.run("run", tiny).returncode == 5


def test_output_is_plain_where_there_is_no_terminal(shell, tiny):
    done = shell.run("run", tiny)
    assert "\x1b" not in done.stdout + done.stderr
    assert (shell.folder / "reports").exists()


def test_one_run_is_measured_by_one_session(shell, tiny):
    first = shell.start("run", tiny, "--repeats", "4", "--no-report")
    shell.wait_until(lambda: any((shell.folder / "results").glob("*/trials.jsonl")))
    shell.refused(shell.run("run", "--resume", "latest"), 2, "still being measured")
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_a_broker_that_is_missing_leaves_no_empty_run(shell, tiny):
    done = shell.run("run", tiny, "--broker", "redis://127.0.0.1:1/0")
    shell.refused(done, 3, "No broker answers")
    assert "Interrupted" not in done.stderr
    assert not list((shell.folder / "results").glob("*/run.json"))


def test_a_run_that_is_none_breaks_neither_list_nor_show(shell, tiny):
    assert shell.run("run", tiny, "--repeats", "1", "--no-report").returncode == 0
    odd = shell.folder / "results" / "odd"
    odd.mkdir()
    (odd / "run.json").write_text(json.dumps({"format": FORMAT}))
    assert shell.run("list").returncode == 0
    assert shell.run("show", "latest").returncode == 0
    shell.refused(shell.run("show", "odd"), 2, "cannot be read")


def test_a_user_with_packages_called_like_ours(shell, tiny):
    for name in ("bench", "workloads", "json"):
        (shell.folder / name).mkdir()
        (shell.folder / name / "__init__.py").write_text("raise SystemExit('the user has this name too')\n")
    (shell.folder / "celery.py").write_text("raise SystemExit('the user has this name too')\n")
    assert shell.run("run", tiny, "--repeats", "1", "--no-report").returncode == 0


@pytest.mark.parametrize("verb", ["schema", "doctor"], ids=["plain", "tables"])
def test_a_reader_that_has_read_enough_is_no_bug_and_no_verdict(shell, verb):
    process = shell.start(verb)
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr.read() == ""


def test_output_to_a_full_disk(shell):
    command = [sys.executable, "-m", "bench.cli", "schema"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, env=shell.env, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 3
    assert done.stderr == "error: the disk that this is written to is full\nFree some room, then try again.\n"
