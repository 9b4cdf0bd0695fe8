"""The Celery app that holds the shipped tasks, as a user's app would hold theirs."""

from celery import Celery

from .catalogue import TASKS

app = Celery("celery-bench")

for _name, _function in TASKS.items():
    app.task(name=_name)(_function)
