"""An app, a task or arguments that cannot be measured: a sentence of what and where, before a trial."""

import json
import os
import signal
import subprocess
import time

import psutil
import pytest

from bench.model import Broker
from bench.run.broker import Brokers
from bench.run.keeper import Keeper

pytestmark = pytest.mark.real

MYAPP = """\
from celery import Celery

app = Celery('myapp', broker='amqp://guest@localhost:1//')


@app.task
def add(x, y, z=0):
    return x + y


@app.task(bind=True)
def send_email(self, to):
    pass
"""
SCENARIO = """\
question: Does it run?
app: {app}
workers: {{pool: threads, concurrency: 2}}
workload: {workload}
load: {{shape: flood, tasks: 40}}
repeats: 1
{more}
"""


@pytest.fixture
def asked(shell):
    """Runs ``celery-bench run`` on the workload of an app."""
    shell.write("myapp.py", MYAPP)

    def run(workload="{task: myapp.add, args: [1, 2]}", app="myapp", more="", verb="run"):
        shell.write("s.yaml", SCENARIO.format(app=app, workload=workload, more=more))
        return shell.run(verb, "s.yaml", *(["--no-report"] if verb == "run" else []))

    return run


def refused(shell, done, *words, traceback=0):
    """Exit code 2 and these words; a traceback only of theirs."""
    assert done.returncode == 2, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert done.stderr.count("Traceback") == traceback, done.stderr
    for frame in ("peek.py", "userapp.py", "celery/app/utils.py", "importlib"):
        assert frame not in done.stderr, done.stderr
    assert not (shell.folder / "results").exists()
    assert shell.left() == []


@pytest.mark.parametrize(
    ("name", "text", "words", "traceback"),
    [
        ("raises", "def f():\n    raise RuntimeError('no config')\nf()\n",
         ["s.yaml:2: app:", "RuntimeError: no config", 'raises.py", line 2, in f'], 1),
        ("syntax", "app = = 1\n", ["SyntaxError", "app = = 1"], 0),
        ("missing", "import requests_of_nobody\n",
         ["No module named 'requests_of_nobody'", 'missing.py", line 1'], 1),
        ("exits", "import sys\nsys.exit('no settings')\n", ["SystemExit: no settings"], 1),
        ("dies", "import os\nos._exit(7)\n", ["ended Python itself", "status 7"], 0),
        ("empty", "", ["holds no Celery app"], 0),
        ("tasks", "def app(): pass\n", ["it is no Celery app but 'function'"], 0),
        ("bare", "from celery import Celery\napp = Celery('bare')\n",
         ["no task 'myapp.add' in bare", "The app has none"], 0),
        ("later", "from celery import Celery\napp = Celery('x', include=['nowhere'])\n",
         ["No module named 'nowhere', which `include` of the app names"], 0),
        ("imports", "from celery import Celery\napp = Celery('x')\napp.conf.imports = ['no.where']\n",
         ["No module named 'no', which `imports` of the app names"], 0),
        ("found", "from celery import Celery\napp = Celery('x')\napp.autodiscover_tasks(['nowhere'])\n",
         ["No module named 'nowhere', which `autodiscover_tasks` of the app names"], 0),
        ("failover", MYAPP.replace("amqp://guest@localhost:1//", "redis://h/1;redis://i/1"),
         ["the app's own broker: these are 2 URLs", "`broker: {url: …}`"], 0),
        ("list", MYAPP.replace("'amqp://guest@localhost:1//'", "['redis://h/1', 'redis://i/1']"),
         ["the app's own broker: these are 2 URLs"], 0),
        ("memory", MYAPP.replace("amqp://guest@localhost:1//", "memory://"),
         ["app's own broker", "memory://"], 0),
    ],
)  # fmt: skip
def test_an_app_that_is_none(shell, asked, name, text, words, traceback):
    shell.write(f"{name}.py", text)
    of_app = name in ("memory", "failover", "list")
    more = "broker: app" if of_app else ""
    workload = "{task: %s.add, args: [1, 2]}" % (name if of_app else "myapp")
    refused(shell, asked(workload, app=name, more=more), *words, traceback=traceback)


def test_an_app_that_hangs_is_told_of_and_leaves_nothing_when_it_is_given_up(shell):
    shell.write("slow.py", "import time\ntime.sleep(600)\n")
    shell.write("s.yaml", SCENARIO.format(app="slow", workload="{task: slow.add}", more=""))
    process = shell.start("validate", "s.yaml")
    assert process.stderr.readline() == "The app slow is still being imported; it is waited for up to 60 s.\n"
    process.terminate()
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, "")
    assert shell.left() == []
    assert shell.left_files() == []


def test_an_app_that_is_not_there(shell, asked):
    refused(shell, asked(app="nosuch"), "cannot be imported from", "No module named 'nosuch'")
    (shell.folder / "proj").mkdir()
    shell.write("proj/__init__.py", "")
    shell.write("proj/celery.py", "import nothing_like_this\n")
    refused(shell, asked(app="proj"), "No module named 'nothing_like_this'", traceback=1)


@pytest.mark.parametrize(
    ("workload", "words"),
    [
        ("{task: myapp.ad}", ["s.yaml:4: workload.task", "no task 'myapp.ad' in myapp", "mean 'myapp.add'?"]),
        ("{task: io.sleep}", ["It is one of the shipped tasks"]),
        ("{task: myapp.add}", ["takes (x, y, z=…)", "missing", "'x'"]),
        ("{task: myapp.add, args: [1]}", ["missing", "'y'"]),
        ("{task: myapp.add, args: [1, 2, 3, 4]}", ["too many positional arguments"]),
        ("{task: myapp.send_email, kwargs: {too: a}}", ["no argument 'too'", "(to)", "Did you mean 'to'?"]),
        ("{task: myapp.add, arguments: [[1, 2], [1]]}", ["missing", "'y'"]),
        ("{task: myapp.add, arguments: none.csv}", ["none.csv", "No such file"]),
        ("{task: myapp.add, arguments: empty.csv}", ["empty.csv holds no row"]),
        ("{task: myapp.add, arguments: wrong.csv}", ["no argument 'w'", "Known: x, y, z"]),
        ("{task: myapp.add, arguments: ragged.csv}", ["ragged.csv:3 has not one value for each of x, y"]),
        ("{task: myapp.add, arguments: mails}", ["neither a CSV file nor `module:callable`"]),
        ("{task: myapp.add, arguments: 'nosuch:draw'}",
         ["nosuch:draw gives no arguments", "No module named 'nosuch'"]),
        ("{task: myapp.add, arguments: 'draws:nosuch'}", ["has no attribute 'nosuch'"]),
        ("{task: myapp.add, arguments: 'draws:wrong'}", ["it returned 5, not (args, kwargs)"]),
        ("{task: myapp.add, arguments: 'draws:few'}", ["missing", "'y'"]),
    ],
)  # fmt: skip
def test_a_task_that_cannot_be_called_like_this(shell, asked, workload, words):
    shell.write("empty.csv", "x,y\n")
    shell.write("wrong.csv", "x,w\n1,2\n")
    shell.write("ragged.csv", "x,y\n1,2\n3\n")
    shell.write("draws.py", "def wrong(draw):\n    return 5\n\ndef few(draw):\n    return (1,), {}\n")
    refused(shell, asked(workload, verb="validate"), *words)


def test_a_callable_that_raises_is_told_with_its_own_traceback(shell, asked):
    shell.write("draws.py", "def one(draw):\n    return {}['mail']\n")
    done = asked("{task: myapp.add, arguments: 'draws:one'}")
    refused(shell, done, "KeyError: 'mail'", 'draws.py", line 2, in one', traceback=1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("return (draw['mail'],), {'y': 1}", ["draws.py:6: one: it gives nothing for task ", "TypeError"]),
        ("return ({1, 2},), {'y': 1}", ["draws.py:2: one: what it gives for task ", "not JSON serializable"]),
        ("return (1,), {}", ["draws.py:2: one: what it gives for task ", "missing 1 required"]),
    ],
)
def test_a_callable_that_fails_later_is_told_with_its_line(shell, asked, line, words):
    shell.write(
        "draws.py",
        "calls = []\ndef one(draw):\n    calls.append(draw)\n    if len(calls) < 20:\n"
        f"        return (1,), {{'y': 1}}\n    {line}\n",
    )
    done = asked("{task: myapp.add, arguments: 'draws:one'}")
    shell.refused(done, 4, "the loader exited with status 1: ValueError: ", *words)


def test_arguments_from_a_list_a_file_and_a_callable(shell, asked):
    """Each task writes what it got; the callable's depends on the seed alone."""
    shell.write(
        "myapp.py", MYAPP.replace("    return x + y", "    open(f'got-{type(x).__name__}', 'a').write('.')")
    )
    shell.write("rows.csv", 'x,y\n"text",true\n')
    shell.write("draws.py", "def draw(random):\n    return (random.random(),), {'y': 1}\n")
    done = asked(
        "[{task: myapp.add, arguments: [[1, 2], {x: 3, y: 4}]}, {task: myapp.add, arguments: rows.csv}, "
        "{task: myapp.add, arguments: 'draws:draw'}]"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sizes = {p.name: p.stat().st_size for p in shell.folder.glob("got-*")}
    assert sizes.keys() == {"got-int", "got-str", "got-float"}
    assert min(sizes.values()) >= 13
    draw = "{task: io.sleep, arguments: 'sleeps:draw'}"
    shell.write("sleeps.py", "def draw(random):\n    return (0.001,), {}\n")
    done = asked(draw, app="''")
    assert done.returncode == 0, "shipped tasks take them, too: " + done.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("worker_consumer: nowhere.to:be", ["worker 0 exited with status 1", "No module named 'nowhere'"]),
        ("worker_log_format: '%(nothing'", ["worker 0 exited with status 1", "Invalid format"]),
        ("timezone: Mars/Olympus", ["stalled", "worker 0: ", "No time zone found with key Mars/Olympus"]),
    ],
)
def test_a_worker_that_refuses_its_settings_says_why(shell, asked, settings, words):
    done = asked(more=f"settings: {{{settings}}}\nlimits: {{boot: 8s, stall: 3s}}")
    shell.refused(done, 4, *words)
    told = json.loads(shell.run("show", "--json").stdout)
    assert told["cells"][0]["failed_trials"] == 1
    assert shell.left() == []


@pytest.mark.parametrize("kind", ["valkey", "rabbitmq"])
def test_a_broker_that_dies_in_the_middle_fails_its_trial_and_the_next_gets_another(shell, needs, kind):
    needs(kind)
    shell.write("myapp.py", MYAPP.replace("    return x + y", "    import time; time.sleep(0.05)"))
    more = f"broker: {kind}"
    text = SCENARIO.format(app="myapp", workload="{task: myapp.add, args: [1, 2]}", more=more)
    shell.write("s.yaml", text.replace("repeats: 1", "repeats: 2").replace("tasks: 40", "tasks: 160"))
    process = shell.start("run", "s.yaml", "--no-report")
    shell.wait_until(lambda: any("load.py" in line for line in shell.left()), seconds=60)
    shell.wait_until(lambda: sum("worker.py" in line for line in shell.left()) >= 1)
    time.sleep(2.5)
    names = {"valkey": "valkey", "rabbitmq": "beam.smp"}
    (pid,) = [int(line.split()[0]) for line in shell.left() if names[kind] in line.split()[1]]
    assert psutil.Process(pid).is_running()
    os.kill(pid, signal.SIGKILL)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 4, out + err
    assert "the broker died" in out + err
    assert "Traceback" not in err
    cells = json.loads(shell.run("show", "--json").stdout)["cells"]
    assert [(cell["trials"], cell["failed_trials"]) for cell in cells] in ([(1, 1)], [(2, 1)])
    assert shell.left() == []


def test_somebody_elses_broker_that_dies_in_the_middle_ends_the_run_and_keeps_what_is_done(shell, asked):
    folder = shell.folder / "theirs"
    folder.mkdir()
    with Keeper() as keeper:
        brokers = Brokers(keeper, folder, "theirs")
        url = brokers.get(Broker()).url
        text = SCENARIO.format(
            app="''", workload="{task: io.sleep, kwargs: {seconds: 0.05}}", more=f"broker: {{url: '{url}'}}"
        )
        text = text.replace("repeats: 1", "repeats: 3\nlimits: {stall: 3s, boot: 10s}").replace(
            "tasks: 40", "tasks: 100"
        )
        shell.write("s.yaml", text)
        process = shell.start("run", "s.yaml")
        lines = shell.folder / "results"
        shell.wait_until(lambda: any(lines.glob("*/trials.jsonl")), seconds=60)
        shell.wait_until(lambda: any("load.py" in line for line in shell.left()), seconds=60)
        brokers.stop()
        out, err = process.communicate(timeout=60)
    done = subprocess.CompletedProcess((), process.returncode, out, err)
    shell.refused(done, 3, f"the broker at {url} does not answer any more", "--resume", "No broker answers")
    assert "of 3 trials are kept. Go on: " in err
    assert "Report: " in out
    assert shell.left() == []
