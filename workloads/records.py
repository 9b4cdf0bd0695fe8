"""CSV into and out of a real database: SQLite in the trial's temporary folder, or the one whose URL stands in
``CELERY_BENCH_DATABASE_URL`` (an environment variable: a password has no place in a scenario).
"""

import csv
import io
import os
import random
import tempfile
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path

from .attempts import key

LOCK_S = 30.0
"""How long SQLite waits for another connection that writes."""
FIELDS = ("line", "customer", "article", "cents")


def import_csv(rows: int = 1000, seed: int = 0) -> int:
    """Parse a CSV of ``rows`` orders, drawn from ``seed``, and insert them in one transaction. Returns how
    many.
    """
    return _insert(key(), rows, seed)


def export_csv(rows: int = 5000, seed: int = 0) -> int:
    """Select ``rows`` orders (the first export of a trial inserts them) and write them as CSV to a temporary
    file. Returns its size in bytes.
    """
    from sqlalchemy.exc import IntegrityError

    batch = f"for export, {rows} {seed}"
    found = _select(batch)
    if len(found) < rows:
        with suppress(IntegrityError):  # another worker was faster, with the same rows
            _insert(batch, rows, seed)
        found = _select(batch)
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        writer.writerows(found)
        return file.tell()


def forget(url: str, name: str = "") -> None:
    """Drop the table in somebody's database; without a name only see whether there is such a database.

    Raises SQLAlchemyError where there is none.
    """
    engine, table = _database(url, name)
    try:
        if name:
            table.drop(engine, checkfirst=True)
        else:
            engine.connect().close()
    finally:
        engine.dispose()
        _database.cache_clear()


def _insert(batch: str, rows: int, seed: int) -> int:
    engine, table = _here()
    orders = [
        {"batch": batch, "line": int(o["line"]), "customer": o["customer"], "article": o["article"],
         "cents": int(o["cents"])}
        for o in csv.DictReader(io.StringIO(orders_csv(rows, seed)))
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(table.delete().where(table.c.batch == batch))  # a task may be delivered twice
        connection.execute(table.insert(), orders)
    return len(orders)


def _select(batch: str):  # type: ignore[no-untyped-def]  # rows of SQLAlchemy, which is imported only when used
    engine, table = _here()
    wanted = table.select().with_only_columns(*(table.c[name] for name in FIELDS))
    with engine.connect() as connection:
        return connection.execute(wanted.where(table.c.batch == batch).order_by(table.c.line)).fetchall()


@lru_cache(maxsize=8)
def orders_csv(rows: int, seed: int) -> str:
    """The file that somebody has uploaded: a line a row, and one of names."""
    chance = random.Random(seed)
    lines = [
        f"{line},customer {chance.randrange(9999)},article {chance.randrange(500)},{chance.randrange(9999)}"
        for line in range(rows)
    ]
    return "\n".join([",".join(FIELDS), *lines])


def _here():  # type: ignore[no-untyped-def]
    url = os.environ.get("CELERY_BENCH_DATABASE_URL")
    url = url or f"sqlite:///{Path(tempfile.gettempdir()) / 'celery-bench.db'}"
    engine, table = _database(url, os.environ.get("CELERY_BENCH_DATABASE_TABLE", "celery_bench"))
    _create(engine, table)
    return engine, table


@cache
def _database(url: str, name: str):  # type: ignore[no-untyped-def]
    """Engine and table, once a process: its connections are kept and used again."""
    import sqlalchemy as sa

    locking = {"timeout": LOCK_S} if url.startswith("sqlite") else {}
    engine = sa.create_engine(
        url, max_overflow=-1, connect_args=locking
    )  # never fewer connections than tasks
    table = sa.Table(
        name,
        sa.MetaData(),
        sa.Column("batch", sa.String(80), primary_key=True),
        sa.Column("line", sa.Integer, primary_key=True),
        sa.Column("customer", sa.String(40)),
        sa.Column("article", sa.String(40)),
        sa.Column("cents", sa.Integer),
    )
    return engine, table


@cache
def _create(engine, table) -> None:  # type: ignore[no-untyped-def]
    import sqlalchemy as sa

    try:
        table.create(engine, checkfirst=True)
    except sa.exc.DBAPIError:  # several processes begin at once: one of them makes it
        if not sa.inspect(engine).has_table(table.name):
            raise
