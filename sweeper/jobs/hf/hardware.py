"""What a minute costs: the live list of the Hub, or the dated snapshot without network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.errors import ExecutorError
from sweeper.jobs.hf.credentials import find
from sweeper.jobs.hf.refusals import translated


@dataclass(frozen=True, slots=True)
class Hardware:
    """One flavor as the Hub offers it.

    Attributes:
        name: Its name in a request.
        micro_usd_per_minute: Price of a started minute.
        gpus: Number of accelerators.
        description: CPU, memory and accelerator in words.
    """

    name: str
    micro_usd_per_minute: int
    gpus: int
    description: str


def live(folder: Path | None = None) -> list[Hardware]:
    """Return the Hub's list.

    Raises:
        ExecutorError: It cannot be had, or its unit is not the minute.
    """
    from huggingface_hub import get_session
    from huggingface_hub.utils._http import hf_raise_for_status

    who = find(folder)
    with translated("reading the price list", who.endpoint):
        # Public, so that prices are known before anybody logs in.
        answer = get_session().get(f"{who.endpoint}/api/jobs/hardware", timeout=10.0)
        hf_raise_for_status(answer)
        rows = answer.json()
    return [parse(row) for row in rows]


def parse(row: Any) -> Hardware:
    """Return one row of the list.

    Raises:
        ExecutorError: Price or unit are not what we count in.
    """
    try:
        name, price, unit = str(row["name"]), row["unitCostMicroUSD"], row["unitLabel"]
    except (TypeError, KeyError) as error:
        raise ExecutorError(f"The price list has a row without {error}.") from error
    if unit != "minute" or isinstance(price, bool) or not isinstance(price, int) or price < 0:
        raise ExecutorError(f"The price of {name} is {price!r} a {unit!r}, not a number a minute.")
    return Hardware(name, price, _gpus(row), _words(row))


def _gpus(row: dict[str, Any]) -> int:
    accelerator = row.get("accelerator") or {}
    return int(accelerator.get("quantity") or 0) if accelerator else 0


def _words(row: dict[str, Any]) -> str:
    parts = [row.get("cpu"), row.get("ram")]
    if accelerator := row.get("accelerator"):
        parts.append(
            f"{accelerator.get('quantity', 1)}x {accelerator.get('model')} "
            f"{accelerator.get('vram')}"
        )
    return ", ".join(str(part) for part in parts if part)


def catalogue(folder: Path | None = None) -> dict[str, int] | None:
    """Return micro-dollars a minute by flavor from the live list; None when it cannot be had.

    `budget.prices.micro_usd_per_minute(flavor, None)` then takes its dated snapshot.
    """
    try:
        return {row.name: row.micro_usd_per_minute for row in live(folder)}
    except ExecutorError:
        return None
