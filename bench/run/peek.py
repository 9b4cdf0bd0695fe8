"""Asks an app for its tasks and where its broker is: ``python -P peek.py APP ANSWER.json [QUESTION …]``.

The question ``draw MODULE:CALLABLE`` is for the arguments of one task instead, ``results`` whether the store
of results answers. A process of its own, since importing somebody's app may do anything. Standard library and
celery only.
"""

import importlib
import importlib.util
import inspect
import json
import os
import random
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ANSWER_S = 5
NOT_THEIRS = (
    str(HERE),
    "<frozen ",
    str(Path(importlib.__file__).parent),
    *(str(Path(importlib.import_module(name).__file__ or "").parent) for name in ("celery", "kombu", "vine")),
)
"""Where the beginning of a traceback is of no interest to whoever wrote the app."""


def _sibling(name: str) -> Any:
    """A module beside this file, under a name that is not the app's."""
    spec = importlib.util.spec_from_file_location(f"celery_bench_{name}", HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def find(name: str) -> Any:
    """The app. Raises TypeError with a sentence where the module holds none, else what its import raises."""
    import celery

    try:
        app = _sibling("userapp").find(name)
    except AttributeError as error:
        module = sys.modules.get(name)
        if module is None or _of_theirs(error):
            raise
        if hasattr(module, "__path__") and importlib.util.find_spec(f"{name}.celery"):
            importlib.import_module(f"{name}.celery")  # Celery keeps to itself what this raises
        raise TypeError("it holds no Celery app") from None
    if not isinstance(app, celery.Celery):
        raise TypeError(f"it is no Celery app but {type(app).__name__!r}")
    return app


def parameters(task: Any) -> list[tuple[str, int, bool]]:
    """Name, kind and whether it may be left out, of each parameter that a caller gives."""
    try:
        found = inspect.signature(task.run).parameters.values()
    except (TypeError, ValueError):
        return [
            ("args", int(inspect.Parameter.VAR_POSITIONAL), False),
            ("kwargs", int(inspect.Parameter.VAR_KEYWORD), False),
        ]
    return [(p.name, int(p.kind), p.default is not p.empty) for p in found]


def of_app(app: Any) -> dict[str, Any]:
    """Its tasks with their parameters; URLs and prefixes of its broker and results."""
    _import_tasks(app)
    app.finalize()
    conf = app.conf
    urls = conf.broker_write_url or "amqp://"  # as in Celery
    return {
        "tasks": {
            name: parameters(task) for name, task in app.tasks.items() if not name.startswith("celery.")
        },
        "broker": urls if isinstance(urls, str) else ";".join(urls),
        "prefix": (conf.broker_transport_options or {}).get("global_keyprefix", ""),
        "results": str(conf.result_backend or ""),
        "results_prefix": (conf.result_backend_transport_options or {}).get("global_keyprefix", ""),
    }


def _import_tasks(app: Any) -> None:
    """All modules with tasks. An ImportError for one of them also says which setting names it."""
    try:
        app.loader.import_default_modules()
    except ImportError as error:
        if not _of_theirs(error):
            settings = [s for s in ("include", "imports") if _names(app.conf[s] or (), error.name)]
            error.msg += f", which `{(settings or ['autodiscover_tasks'])[0]}` of the app names"
        raise


def _names(modules: Any, missing: str | None) -> bool:
    """Whether one of the modules is the missing one, or lies in it."""
    return any(f"{module}.".startswith(f"{missing}.") for module in modules)


def reached(app: Any) -> dict[str, Any]:
    """Nothing, once its store of results has answered, as far as that can be asked; what Celery, or the
    client of the store, raises goes on. Settings in our environment are laid over the app's own.
    """
    asked = json.loads(os.environ["CELERY_BENCH_RESULTS"])  # a command line would show passwords
    _sibling("userapp").set_environment(asked)
    app.conf.update(asked, database_create_tables_at_setup=False, redis_socket_connect_timeout=ANSWER_S)
    store = app._get_backend()  # ``app.backend`` may have been made of other settings
    kind, sessions = type(store).__name__, getattr(store, "session_manager", None)
    if kind == "RedisBackend":
        store.client.ping()
    elif kind == "DatabaseBackend" and sessions is not None:
        sessions.get_engine(store.url, **store.engine_options).connect().close()
    return {}


def drawn(_app: Any, source: str) -> dict[str, Any]:
    """One task's arguments as the callable ``source`` thinks them up. Raises TypeError with a sentence."""
    made = _sibling("calls").callable_of(source)(random.Random(0))
    if not (isinstance(made, tuple | list) and len(made) == 2 and isinstance(made[1], dict)):
        raise TypeError(f"it returned {made!r:.100}, not (args, kwargs) as in ((1, 2), {{}})")
    return {"args": list(made[0]), "kwargs": made[1]}


QUESTIONS: dict[str, Callable[..., dict[str, Any]]] = {"app": of_app, "draw": drawn, "results": reached}


def _of_theirs(error: BaseException) -> bool:
    return any(not _boring(frame) for frame in traceback.extract_tb(error.__traceback__))


def _boring(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(NOT_THEIRS)


def told(error: BaseException) -> dict[str, str]:
    """The error in a sentence, and its traceback from the first line of theirs on."""
    trace = traceback.TracebackException.from_exception(error)
    _shorten(trace)
    only = trace.format_exception_only() if isinstance(error, SyntaxError) else ()
    text = "".join(trace.format() if trace.stack else only)
    name = type(error).__name__
    return {
        "error": str(error) if name == "TypeError" and not trace.stack else f"{name}: {error}",
        "traceback": text,
    }


def _shorten(trace: traceback.TracebackException) -> None:
    while trace.stack and _boring(trace.stack[0]):
        del trace.stack[0]
    for name in ("__cause__", "__context__"):
        other = getattr(trace, name)
        if other is not None:
            _shorten(other)
            if not other.stack:
                setattr(trace, name, None)


def main() -> None:
    """Write the answer, also when it is what the import raised, and be gone, whatever the app has started."""
    answer: dict[str, Any]
    try:
        app = find(sys.argv[1])
        question, *words = sys.argv[3:] or ["app"]
        answer = QUESTIONS[question](app, *words)
        text = json.dumps(answer, default=repr)
    except BaseException as error:  # an app may also call sys.exit
        text = json.dumps(told(error))
    path = Path(sys.argv[2])
    draft = path.with_suffix(f".{os.getpid()}")  # an app that forks answers twice
    draft.write_text(text)
    draft.rename(path)
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
