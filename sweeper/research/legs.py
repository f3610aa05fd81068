"""Several questions at once, a few at a time; a leg that fails is named, not hidden."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import TypeVar

from sweeper.errors import SweeperError

T = TypeVar("T")
WORKERS = 8


def run(calls: Mapping[str, Callable[[], T]]) -> tuple[dict[str, T], dict[str, SweeperError]]:
    """Run calls with bounded concurrency.

    Args:
        calls: What to do, by name.

    Returns:
        The results, and the errors, by name, both in the order of `calls`.
    """
    from concurrent.futures import ThreadPoolExecutor

    found: dict[str, T] = {}
    failed: dict[str, SweeperError] = {}
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        futures = {name: pool.submit(call) for name, call in calls.items()}
        for name, future in futures.items():
            try:
                found[name] = future.result()
            except SweeperError as exc:
                failed[name] = exc
    return found, failed
