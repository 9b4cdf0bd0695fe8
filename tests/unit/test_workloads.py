"""The shipped tasks, each called as a plain function, and the chance that they draw."""

import csv
import importlib.util
import inspect
import io
import subprocess
import sys

import pytest
from bench.workloads import attempts, files, images, inference, records, reports
from bench.workloads.amounts import Amount
from bench.workloads.attempts import Share
from bench.workloads.catalogue import PACKAGES, TASKS
from bench.workloads.costs import COSTS
from celery import Celery, Task

from bench import plan, scenario
from bench.errors import ScenarioError
from bench.model import TaskCall


@pytest.fixture(autouse=True)
def _in_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("CELERY_BENCH_DATABASE_URL", raising=False)
    yield
    for made in (records._database, records._create):
        made.cache_clear()


def test_every_task_has_a_cost_and_says_what_it_does_and_takes():
    assert set(COSTS) == set(TASKS) >= set(PACKAGES)
    for name, function in TASKS.items():
        signature = inspect.signature(function)
        assert function.__doc__, name
        assert all(
            p.annotation in (float, int, bool, object, Amount, Share) for p in signature.parameters.values()
        ), name
        given = {n: 1 if p.default is p.empty else p.default for n, p in signature.parameters.items()}
        assert all(0 <= seconds < 2 for seconds in COSTS[name](**given)), name


def test_reading_the_catalogue_imports_nothing_heavy():
    """Neither Celery nor what single tasks need."""
    code = (
        "import sys; import bench.workloads.catalogue, bench.workloads.costs; "
        "print({'celery', 'PIL', 'sqlalchemy', 'jinja2', 'numpy', 'aiosmtpd', 'smtplib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_without_a_server_a_task_says_what_is_missing(monkeypatch):
    for variable, tasks in (
        ("CELERY_BENCH_HTTP_URL", ("io.http", "http.call")),
        ("CELERY_BENCH_SMTP", ("mail.send",)),
    ):
        monkeypatch.delenv(variable, raising=False)
        for task in tasks:
            with pytest.raises(RuntimeError, match=variable):
                TASKS[task]()


def test_a_thumbnail_keeps_its_proportions_and_its_picture():
    from PIL import Image, ImageChops, ImageStat

    photo = images.photo(400, 300, 1)
    assert images.photo(400, 300, 1) == photo != images.photo(400, 300, 2)
    with Image.open(io.BytesIO(images.thumbnail(photo, 100))) as small:
        assert (small.format, small.size) == ("JPEG", (100, 75))
        thumb = small.convert("L")
    with Image.open(io.BytesIO(photo)) as large:
        wanted = large.convert("L").resize((100, 75), Image.Resampling.BOX)
    assert ImageStat.Stat(ImageChops.difference(thumb, wanted)).mean[0] < 5
    assert images.resize(400, 300, 100, 1) == len(images.thumbnail(photo, 100))


def test_what_is_imported_is_what_is_exported(tmp_path):
    assert records.import_csv(rows=30, seed=1) == 30
    assert records.import_csv(rows=30, seed=1) == 30, "delivered twice: the same rows again"
    found = records._select(attempts.key())
    assert [[str(value) for value in row] for row in found] == list(
        csv.reader(io.StringIO(records.orders_csv(30, 1)))
    )[1:]
    size = records.export_csv(rows=30, seed=1)
    assert (
        size
        == records.export_csv(rows=30, seed=1)
        == len(records.orders_csv(30, 1).replace("\n", "\r\n")) + 2
    )
    assert [path.name for path in tmp_path.iterdir()] == ["celery-bench.db"], "the exported file is gone"


def test_a_report_has_its_lines_escaped_and_summed():
    page = reports.page(20, 3)
    assert page.count("<tr ") == 20
    assert "Article &lt;" in page
    assert "Article <" not in page
    assert reports.render(20, 3) == len(page) == len(reports.page(20, 3))
    assert reports.page(20, 4) != page


def test_cleaning_deletes_what_is_old_and_leaves_nothing(tmp_path):
    assert files.clean(files=40, kib=1, stale=0.25) == 10
    assert files.clean(files=0) == 0
    assert not list(tmp_path.iterdir())


def test_inference_answers_the_same_for_the_same_seed():
    sound, weights = inference.model(8, 32, 20, 5)
    assert sound.shape == (8, 32)
    assert {w.dtype.name for w in weights} == {"float32"}
    answers = {inference.infer(8, 32, 20, seed) for seed in range(8)}
    assert inference.infer(8, 32, 20, 5) == inference.infer(8, 32, 20, 5)
    assert len(answers) > 1, "it depends on what it is given"


@pytest.fixture
def flaky():
    """The task on an app that runs it in this process; who is retried runs again at once."""
    app = Celery("test", broker="memory://")
    app.conf.task_always_eager = True
    waits = []

    class Noting(Task):
        def retry(self, *args, **options):
            waits.append(options["countdown"])
            return super().retry(*args, **options)

    return app.task(name="flaky", base=Noting)(attempts.flaky), waits


def test_who_always_fails_backs_off_twice_as_long_each_time_and_then_gives_up(flaky):
    task, waits = flaky
    done = task.apply(kwargs={"chance": 1.0, "retries": 3, "backoff": 0.1, "jitter": False}, task_id="a")
    assert done.state == "FAILURE"
    assert "on purpose" in str(done.result)
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8])  # the fourth is asked for and not granted


def test_jitter_is_drawn_between_nothing_and_the_whole_wait_and_is_the_same_for_the_same_id(flaky):
    task, waits = flaky
    for task_id in [*map(str, range(50)), *map(str, range(50))]:
        task.apply(kwargs={"chance": 1.0, "retries": 0, "backoff": 1.0}, task_id=task_id)
    assert waits[:50] == waits[50:]
    assert 0 <= min(waits) < 0.2
    assert 0.8 < max(waits) < 1


def test_chance_is_drawn_anew_for_each_attempt(flaky):
    task, _ = flaky
    taken = [task.apply(kwargs={"chance": 0.5, "retries": 9}, task_id=f"task {n}").get() for n in range(400)]
    assert taken == [
        task.apply(kwargs={"chance": 0.5, "retries": 9}, task_id=f"task {n}").get() for n in range(400)
    ]
    assert 160 <= taken.count(0) <= 240, "half of them succeed at once"
    assert 70 <= taken.count(1) <= 130, "a quarter after one retry"


def test_nothing_is_retried_outside_a_worker():
    with pytest.raises(RuntimeError, match="on purpose"):
        attempts.flaky(chance=1.0)
    assert attempts.flaky(chance=0.0) == 0


def loaded(tmp_path, workload):
    path = tmp_path / "asked.yaml"
    path.write_text(f"question: Q?\nworkload: {workload}\nload: {{shape: flood, tasks: 9}}\n")
    return scenario.load(path)


@pytest.mark.parametrize("task", PACKAGES)
def test_a_task_whose_package_is_missing_is_refused_with_what_to_install(tmp_path, monkeypatch, task):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == PACKAGES[task] else real(n))
    with pytest.raises(ScenarioError) as refused:
        loaded(tmp_path, f"[{{task: noop}}, {{task: {task}}}]")
    (told,) = refused.value.mistakes
    assert f":2: workload.1.task: {task} needs a package that is not installed" in told
    assert "pip install 'celery-bench[workloads]'" in told
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("task", "argument", "value", "what"),
    [
        ("csv.import", "rows", "0.5", "as a whole number that is not negative, not 0.5"),
        ("csv.import", "rows", "-1", "as a whole number"),
        ("csv.import", "rows", "true", "as a whole number"),
        ("flaky", "chance", "-0.1", "as a share from 0 to 1"),
        ("flaky", "chance", "1.5", "as a share from 0 to 1, not 1.5"),
        ("fail", "chance", "true", "as a share from 0 to 1"),
        ("crash", "chance", "2", "as a share from 0 to 1"),
        ("mail.send", "refusals", "5", "as a share from 0 to 1"),
        ("http.call", "errors", "1.01", "as a share from 0 to 1"),
        ("files.clean", "stale", "50", "as a share from 0 to 1"),
        ("flaky", "jitter", "1", "as true or false, not 1"),
        ("flaky", "jitters", "1", "Did you mean 'jitter'?"),
    ],
)
def test_arguments_that_a_task_cannot_use_are_refused(tmp_path, task, argument, value, what):
    with pytest.raises(ScenarioError, match=what.replace("?", r"\?")):
        loaded(tmp_path, f"{{task: {task}, kwargs: {{{argument}: {value}}}}}")


@pytest.mark.parametrize(
    ("call", "seconds"),
    [
        (TaskCall(task="mixed", args=(10, 0.02)), 0.03),
        (TaskCall(task="mixed", kwargs={"io_seconds": 0.02, "cpu_ms": 10}), 0.03),
        (TaskCall(task="http.call"), 0.047),
        (TaskCall(task="http.call", kwargs={"seconds": 1.0, "jitter": 0, "errors": 0.5, "retries": 1}), 1.5),
        (TaskCall(task="http.call", kwargs={"seconds": {"exponential": 2.0}, "errors": 0, "jitter": 0}), 2.0),
        (TaskCall(task="csv.import", args=("many",)), plan.UNKNOWN_S),
        (TaskCall(task="somebody.elses"), plan.UNKNOWN_S),
    ],
)
def test_what_a_task_costs_follows_from_its_arguments(call, seconds):
    assert sum(plan._costs(call)) == pytest.approx(seconds, abs=0.002)
