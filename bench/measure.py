"""How long something takes, and what the same takes at the least."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median, quantiles
from typing import Any

import orjson
from django.db import connection


def times(work: Callable[[], Any], turns: int = 21) -> tuple[float, float]:
    """p50 and p95 in milliseconds, after two turns that do not count."""
    work()
    work()
    taken = []
    for _ in range(turns):
        begun = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun) * 1000)
    return median(taken), quantiles(taken, n=20)[-1]


def floor(work: Callable[[], Any]) -> Callable[[], bytes]:
    """The statements that ``work`` makes, sent by hand, and their rows dumped by orjson: no Django, no scope."""
    said: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        said.append((sql, params))
        return execute(sql, params, many, context)

    with ExitStack() as stack:
        stack.enter_context(connection.execute_wrapper(note))
        work()
    selects = [(sql, params) for sql, params in said if sql.startswith("SELECT")]

    def run() -> bytes:
        pages = []
        with connection.cursor() as cursor:
            for sql, params in selects:
                cursor.execute(sql, params)
                names = [column[0] for column in cursor.description]
                pages.append([dict(zip(names, map(str, row), strict=True)) for row in cursor.fetchall()])
        return orjson.dumps(pages)

    return run


def table(title: str, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    print(f"\n{title}")
    cells = [head, *[tuple(f"{c:.1f}" if isinstance(c, float) else str(c) for c in row) for row in rows]]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    for row in cells:
        print(
            "  ".join(
                cell.ljust(w) if p == 0 else cell.rjust(w) for p, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
        )
