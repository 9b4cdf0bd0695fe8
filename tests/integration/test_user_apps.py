"""Apps written by nobody here, in all the shapes that people have: they run unchanged, and on our broker."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.model import Broker, Cell, Delivery, Load, Messages, Scenario, Setup, TaskCall, Workers
from bench.run import session
from bench.scenario.outside import AppError

pytestmark = pytest.mark.real

EXAMPLE = """\
from celery import Celery

app = Celery('myapp', broker='amqp://guest@localhost:1//', backend='redis://localhost:1/0')


@app.task
def add(x, y):
    return x + y


if __name__ == '__main__':
    app.start()
"""
ADD = TaskCall(task="myapp.add", args=(2, 3))

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the files of a project, whose folder is the current one."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def put(**files: str) -> None:
        for name, text in files.items():
            path = folder / (name.replace("__", "/") + ".py")
            path.parent.mkdir(exist_ok=True)
            if path.parent != folder:
                (path.parent / "__init__.py").touch()
            path.write_text(text)

    return put


@pytest.mark.parametrize("pool", ["prefork", "gevent", "solo"])
def test_an_app_as_in_celerys_examples_runs_unchanged(bench, write, pool):
    write(myapp=EXAMPLE)
    result, _ = bench.measure(ADD, app="myapp", pool=pool, concurrency=1 if pool == "solo" else 2, flood=40)
    assert result.ok, result.reason + result.log_tail
    assert (result.counts["completed"], result.mismatches) == (40, ())


CONFIGURED = {
    "the constructor": "app = Celery('myapp', broker='{url}', backend='{store}')",
    "settings": "app = Celery('myapp')\napp.conf.broker_url = '{url}'\napp.conf.result_backend = '{store}'",
    "two URLs": "app = Celery('myapp')\napp.conf.update(broker_read_url='{url}', broker_write_url='{url}')",
    "an object": "app = Celery('myapp')\nclass C:\n    broker_url = '{url}'\n    result_backend = '{store}'\n"
    "app.config_from_object(C)",
    "old names": "app = Celery('myapp')\nclass C:\n    BROKER_URL = '{url}'\n"
    "    CELERY_RESULT_BACKEND = '{store}'\n    CELERY_DEFAULT_QUEUE = 'theirs'\napp.config_from_object(C)",
    "a namespace": "app = Celery('myapp', namespace='CELERY')\nclass C:\n    CELERY_BROKER_URL = '{url}'\n"
    "    CELERY_RESULT_BACKEND = '{store}'\napp.config_from_object(C, namespace='CELERY')",
    "a module": "app = Celery('myapp')\napp.config_from_object('celeryconfig')",
    "only pickle": "app = Celery('myapp', broker='{url}')\napp.conf.update(accept_content=['pickle'], "
    "task_serializer='pickle', result_serializer='pickle', result_accept_content=['pickle'])",
    "the environment": "import os\napp = Celery('myapp', broker=os.environ['CELERY_BROKER_URL'])",
    "parts": "app = Celery('myapp')\napp.conf.update(broker_transport='amqp', broker_user='u', "
    "broker_password='p', broker_use_ssl=True, redis_password='p', result_backend='redis')",
    "an app that was used at once": "app = Celery('myapp', broker='{url}', backend='{store}')\n"
    "app.finalize()\napp.conf.task_acks_late\napp.amqp.queues\napp.amqp.router\napp.backend\napp.control.inspect()",
    "everything its own way": "from kombu import Queue\napp = Celery('myapp', broker='{url}')\n"
    "app.conf.update(task_always_eager=True, task_default_queue='theirs', task_queues=[Queue('theirs')], "
    "task_routes={{'*': 'elsewhere'}}, task_create_missing_queues=False, task_default_exchange='theirs', "
    "task_default_exchange_type='topic', worker_enable_remote_control=False, worker_concurrency=7, "
    "worker_prefetch_multiplier=9, worker_direct=True, control_exchange='theirs', "
    "worker_state_db='state', task_protocol=1, result_backend='{store}', task_ignore_result=False)",
}


@pytest.mark.parametrize("way", CONFIGURED)
def test_its_task_runs_on_our_broker_however_its_own_was_given(bench, write, monkeypatch, way):
    url, store = "amqp://guest@localhost:1//", "redis://localhost:1/0"
    write(
        celeryconfig=f"broker_url = {url!r}\nresult_backend = {store!r}\n",
        myapp="from celery import Celery\n"
        + CONFIGURED[way].format(url=url, store=store)
        + "\n@app.task\ndef add(x, y):\n    return x + y\n",
    )
    monkeypatch.delenv("C_FORCE_ROOT", raising=False)  # Celery wants it of whoever runs pickle as root
    for variable in ("CELERY_BROKER_URL", "BROKER_URL", "CELERY_BROKER_WRITE_URL"):
        if way == "the environment":
            monkeypatch.setenv(variable, url)
    if way == "the environment":
        monkeypatch.setenv("CELERY_RESULT_BACKEND", store)
        monkeypatch.setenv("CELERY_WORKER_MAX_TASKS_PER_CHILD", "1")
    result, _ = bench.measure(
        ADD, app="myapp", pool="threads", load=Load(shape="closed", tasks=30, clients=2)
    )
    assert result.ok, result.reason + result.log_tail
    assert result.mismatches == ()
    assert result.counts["completed"] == 30
    assert result.effective[0]["transport"] == "redis"
    assert result.effective[0]["backend"] == "RedisBackend"
    assert result.effective[0]["max_tasks_per_child"] is None
    assert not Path("state").exists()


def test_a_package_with_discovered_included_shared_and_bound_tasks(bench, write):
    """Also: packages called like ours, and what the app sets for itself stays."""
    write(
        proj__celery="from celery import Celery\n"
        "app = Celery('proj', broker='amqp://nowhere', include=['proj.more'])\n"
        "app.conf.worker_max_tasks_per_child = 1000\n"
        "app.autodiscover_tasks(['bench', 'workloads'])\n",
        proj__more="from proj.celery import app\nimport workloads\n"
        "@app.task(acks_late=True, rate_limit='900/s')\n"
        "def late():\n    return workloads.tasks.NUMBER\n",
        bench__tasks="from celery import shared_task\n@shared_task(bind=True)\n"
        "def bound(self, x, *, y=1):\n    assert self.request.id and x == 4\n",
        workloads__tasks="from proj.celery import app\nNUMBER = 5\nclass Base(app.Task):\n    mark = 'base'\n"
        "@app.task(base=Base, bind=True, name='based')\ndef based(self):\n    assert self.mark == 'base'\n",
    )
    tasks = (
        TaskCall(task="bench.tasks.bound", args=(4,)),
        TaskCall(task="proj.more.late"),
        TaskCall(task="based"),
    )
    result, _ = bench.measure(*tasks, app="proj", flood=60)
    assert result.ok, result.reason + result.log_tail
    assert result.counts["failed"] == 0
    (ran,) = result.effective
    assert ran["acks_late"] == {"bench.tasks.bound": False, "proj.more.late": True, "based": False}
    assert ran["rate_limits"] == {"proj.more.late": "900/s"}
    assert ran["max_tasks_per_child"] == 1000


ANNOTATED = """\
from celery import Celery
app = Celery('myapp', broker='amqp://nowhere')
app.conf.task_annotations = {'*': {'rate_limit': '3/m', 'mark': 'any'}, 'myapp.add': {'own': True}}

@app.task(acks_late=False, serializer='pickle')
def add(x, y):
    assert (add.mark, add.own) == ('any', True)
    return x + y

@app.task(rate_limit='5/m')
def other():
    pass
"""


@pytest.mark.parametrize("when", ["lazily", "at once"])
def test_what_the_scenario_asks_for_is_laid_over_what_the_app_says_of_its_tasks(bench, write, when):
    write(myapp=ANNOTATED + ("app.finalize()\n" if when == "at once" else ""))
    limited = TaskCall(task="myapp.add", args=(2, 3), rate_limit="5000/s")
    result, _ = bench.measure(
        limited, app="myapp", pool="threads", flood=20, delivery=Delivery(acks="late"),
        messages=Messages(serializer="json"),
    )  # fmt: skip
    assert result.ok, result.reason + result.log_tail
    assert result.mismatches == ()
    assert result.counts["failed"] == 0
    assert result.effective[0]["rate_limits"] == {"myapp.add": "5000/s"}
    assert result.effective[0]["acks_late"] == {"myapp.add": True}


COMMANDED = EXAMPLE.replace(
    "@app.task",
    """app.conf.update(worker_pool='threads', worker_concurrency=7,
    worker_prefetch_multiplier=9, worker_disable_prefetch=True, worker_max_tasks_per_child=9,
    worker_max_memory_per_child=900_000, worker_pool_start_method='spawn', worker_send_task_events=True,
    task_time_limit=99, task_soft_time_limit=98)

@app.task""",
)


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_the_scenarios_pool_runs_whatever_the_app_says_of_its_workers(bench, write, pool):
    write(myapp=COMMANDED)
    asked = Workers(
        pool=pool,
        concurrency=2,
        prefetch=3,
        max_tasks_per_child=50,
        pool_start_method="fork",
        time_limit=30.0,
    )
    result, _ = bench.measure(ADD, app="myapp", fleet=(asked,), flood=20)
    assert result.ok, result.reason + result.log_tail
    assert result.mismatches == ()
    (ran,) = result.effective
    assert ran["pool"] == {"prefork": "prefork", "threads": "thread"}[pool]
    assert (ran["concurrency"], ran["prefetch_count"], ran["events"]) == (2, 6, False)
    assert (ran["max_tasks_per_child"], ran["time_limit"], ran["pool_start_method"]) == (50, 30.0, "fork")
    assert (ran["soft_time_limit"], ran["max_memory_per_child_kib"]) == (98, 900_000), (
        "not asked for: the app's"
    )


CALLING = """\
from celery import Celery
from kombu import Exchange, Queue
app = Celery('myapp', broker='amqp://nowhere')
app.conf.accept_content = ['json', 'pickle']
app.conf.task_routes = {'myapp.child': {'queue': 'children'}}

@app.task(bind=True, exchange='theirs', routing_key='theirs', max_retries=1, serializer='pickle')
def parent(self, data=frozenset({1})):
    if not self.request.retries:
        raise self.retry(countdown=0)
    for options in ({}, {'queue': 'named'}, {'exchange': 'x', 'routing_key': 'y'},
                    {'queue': Queue('object', Exchange('z', 'fanout'))}):
        child.apply_async(**options)

@app.task
def child():
    with open('children', 'a') as file:
        file.write('1')
"""


@pytest.mark.parametrize("kind", ["valkey", "rabbitmq"])
def test_tasks_that_tasks_call_stay_on_our_queues(bench, needs, write, monkeypatch, kind):
    needs(kind)
    monkeypatch.delenv("C_FORCE_ROOT", raising=False)  # Celery wants it of whoever runs pickle as root
    write(myapp=CALLING)
    parents = TaskCall(task="myapp.parent", kwargs={})
    result, _ = bench.measure(
        parents, app="myapp", pool="threads", load=Load(shape="constant", rate=20, duration=1),
        broker=Broker(kind=kind), warmup_per_slot=0,
    )  # fmt: skip
    assert result.ok, result.reason + result.log_tail
    assert result.counts["failed"] == 0
    assert result.counts["retried"] == 20
    assert len(Path("children").read_text()) >= 70, "80 but for those that were still running"


ODD = """\
import os, sys, threading, time
from celery import Celery
print('hello', flush=True)
os.system('echo from a child')
if os.fork() == 0:
    time.sleep(600)
    os._exit(0)
threading.Thread(target=time.sleep, args=(600,)).start()
time.sleep(0.5)
app = Celery('odd', broker='amqp://nowhere')

@app.task
def add(x, y):
    print('adding')
    return x + y
"""


def test_an_app_that_prints_forks_sleeps_and_starts_threads_when_it_is_imported(bench, write):
    from bench.run import apps

    write(odd=ODD)
    assert list(apps.look("odd").tasks) == ["odd.add"]
    result, _ = bench.measure(TaskCall(task="odd.add", args=(1, 2)), app="odd", flood=20)
    assert result.ok, result.reason + result.log_tail


def test_an_app_that_takes_for_ever_is_waited_for_so_long(write, monkeypatch):
    from bench.run import apps

    write(slow="import time\ntime.sleep(600)\n")
    monkeypatch.setattr(apps, "PATIENCE_S", 1.0)
    with pytest.raises(AppError, match="slow was not imported within 1 s"):
        apps.look("slow")


def test_a_run_whose_app_is_gone_is_not_resumed(write):
    setup = Setup(app="gone", workload=(ADD,), load=Load(tasks=1))
    cell = Cell(id="c", settings={}, setup=setup)
    asked = Scenario(name="s", question="q", metric="throughput", repeats=1, cells=(cell,))
    with pytest.raises(UsageError, match="No module named 'gone'"):
        session.preflight([asked])
