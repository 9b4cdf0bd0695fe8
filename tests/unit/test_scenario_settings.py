"""Celery's settings, kombu's options, the app's own results: known, of what kind, given twice."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench import model, scenario
from bench.errors import ScenarioError
from bench.run import apps
from bench.scenario.outside import AppError, Outside
from bench.scenario.setting_checks import setting_mistakes

BASE = "question: q?\nload: {shape: flood, tasks: 10}\n"
OUTSIDE = Outside(settings=apps.celery_settings, options=apps.transport_options)

Load = Callable[..., model.Scenario]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def read(text: str, outside: Outside = OUTSIDE) -> model.Scenario:
        path = tmp_path / "s.yaml"
        path.write_text(BASE + text + ("" if "workload" in text else "\nworkload: {task: noop}\n"))
        return scenario.load(path, outside=outside)

    return read


def refused(load: Load, text: str, outside: Outside = OUTSIDE) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(text, outside)
    assert caught.value.exit_code == 2
    return [mistake.partition("s.yaml:")[2] for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("timezone: 3", "must be text, not 3"),
        ('task_track_started: "yes"', "must be true or false, not 'yes'"),
        ("task_track_started: 2", "must be true or false, not 2"),
        ("result_expires: abc", "must be a number, not 'abc'"),
        ("result_expires: [1]", "must be a number, not [1]"),
        ("broker_heartbeat: 10s", "must be a number, not '10s'"),
        ("beat_cron_starting_deadline: soon", "must be a number, not 'soon'"),
        ("task_publish_retry_policy: 3", "must be a mapping, not 3"),
        ("imports: 3", "must be a list, not 3"),
        ("CELERY_TASK_TRACK_STARTED: true", "Did you mean 'task_track_started'?"),
        ("Task_Track_Started: true", "Did you mean 'task_track_started'?"),
        ("worker_concurency: 3", "Did you mean 'workers.concurrency'?"),
        ("worker_concurrency: 3", "has a key of its own here: 'workers.concurrency'"),
        ("zzzzzz: 3", "Names are in its manual"),
    ],
)
def test_a_setting_that_celery_would_not_take_is_refused(load: Load, setting: str, told: str) -> None:
    (mistake,) = refused(load, f"settings: {{{setting}}}")
    assert mistake.startswith(f"3: settings.{setting.partition(':')[0]}: ")
    assert told in mistake


@pytest.mark.parametrize(
    "setting",
    [
        "result_expires: null",
        "result_expires: 3600",
        'result_expires: "3600"',
        "result_extended: 1",
        "broker_heartbeat_checkrate: 2.5",
        "broker_heartbeat: false",
        "broker_use_ssl: {ca_certs: /etc/ca.pem}",
        "redis_backend_use_ssl: false",
        "redis_password: 12345",
        "task_default_rate_limit: 10",
        "task_default_priority: 5",
        "worker_redirect_stdouts_level: 30",
        "imports: [a, b]",
        "include: a",
        "database_engine_options: {echo: true}",
        "security_key_password: x",
    ],
)
def test_a_setting_that_celery_takes_is_taken(load: Load, setting: str) -> None:
    assert load(f"settings: {{{setting}}}").cells[0].setup.settings


def test_celerys_own_defaults_are_of_their_types() -> None:
    from celery.app.defaults import NAMESPACES, flatten

    plain = (bool, int, str, dict, list)
    defaults = {n: o.default for n, o in flatten(NAMESPACES) if type(o.default) in plain}
    found = setting_mistakes(defaults, apps.celery_settings())
    wrong = [mistake.text for mistake in found if mistake.text.startswith("must")]
    assert len(defaults) > 100
    assert wrong == []


@pytest.mark.parametrize(
    ("broker", "key", "told"),
    [
        ("{transport_options: {visibilty_timeout: 3}}", "visibilty_timeout",
         "Did you mean 'delivery.visibility_timeout'?"),
        ("{transport_options: {visibility_timeout: 5}}", "visibility_timeout",
         "has a key of its own here: 'delivery.visibility_timeout'"),
        ("{kind: redis, transport_options: {socket_timout: 5}}", "socket_timout",
         "kombu has no such option for redis. Did you mean 'socket_timeout'?"),
        ("{kind: redis, transport_options: {foo: bar}}", "foo", "Names are in its manual"),
        ("{kind: rabbitmq, transport_options: {confirm_publsh: true}}", "confirm_publsh",
         "Did you mean 'confirm_publish'?"),
        ("{kind: rabbitmq, transport_options: {visibility_timeout: 5}}", "visibility_timeout",
         "kombu has no such option for rabbitmq"),
        ("{kind: rabbitmq, transport_options: {host: elsewhere}}", "host", "no such option"),
        ("{url: 'redis://h/0', transport_options: {global_keyprefix: mine}}", "global_keyprefix",
         "a prefix of its own"),
    ],
)  # fmt: skip
def test_an_option_that_would_do_nothing_is_refused(load: Load, broker: str, key: str, told: str) -> None:
    (mistake,) = refused(load, f"broker: {broker}")
    assert mistake.startswith(f"3: broker.transport_options.{key}: ")
    assert told in mistake


def test_a_timeout_that_stands_twice_is_refused_where_it_is_kombus(load: Load) -> None:
    broker = "broker: {transport_options: {visibility_timeout: 5}}\n"
    (told,) = refused(load, f"{broker}delivery: {{visibility_timeout: 30s}}")
    assert told.startswith("3: broker.transport_options.visibility_timeout: has a key of its own")


@pytest.mark.parametrize(
    "broker",
    [
        "{kind: redis, transport_options: {socket_keepalive: true, health_check_interval: 5, sep: x, "
        "priority_steps: [0, 5], queue_order_strategy: sorted, fanout_prefix: true, retry_on_timeout: true, "
        "global_keyprefix: mine, max_retries: 3, unacked_restore_interval: 2, client_name: me}}",
        "{kind: rabbitmq, transport_options: {confirm_publish: true, read_timeout: 5, interval_start: 0, "
        "client_properties: {a: b}, login_method: PLAIN, socket_settings: {}}}",
        "{transport_options: {}}",
    ],
)
def test_what_kombu_takes_is_taken(load: Load, broker: str) -> None:
    assert load(f"broker: {broker}")


def test_where_nobody_knows_an_option_is_taken(load: Load) -> None:
    text = "settings: {whatever: 3}\nbroker: {transport_options: {whatever: 3}}"
    assert load(text, Outside())
    elsewhere = "broker: {transport_options: {whatever: 3}}\nvariant: {requirements: [kombu==5.9]}"
    assert load(elsewhere), "another kombu may know it"


@pytest.mark.parametrize(("url", "is_kept"), [("", False), ("disabled://", False), ("redis://h/1", True)])
def test_an_app_that_keeps_no_results_has_none_to_use(load: Load, url: str, is_kept: bool) -> None:
    outside = replace(OUTSIDE, tasks=lambda _: {}, results=lambda _: url)
    told = refused(load, "app: proj\nmessages: {results: app}\nworkload: {task: t}", outside)
    assert (
        any(line.startswith("4: messages.results: the app proj keeps no results") for line in told) != is_kept
    )


def test_an_app_that_cannot_be_asked_is_told_once(load: Load) -> None:
    def broken(_: str) -> str:
        raise AppError("the app broken cannot be imported")

    outside = replace(OUTSIDE, tasks=broken, results=broken)  # type: ignore[arg-type]  # it never returns
    (told,) = refused(load, "app: broken\nmessages: {results: app}\nworkload: {task: t}", outside)
    assert told.startswith("3: app: ")
