"""What POST /api/jobs/{namespace} accepts, to the letter (facts: request body)."""

from __future__ import annotations

import re
from typing import Any

from tests.doubles.hub.refusal import Refusal

# Micro-dollars a minute, hub-docs' hourly prices of 2026 divided by 60 and rounded.
HOURLY_USD = {
    "cpu-basic": 0.01, "cpu-upgrade": 0.03, "cpu-xl": 1.0, "cpu-performance": 1.9,
    "t4-small": 0.4, "t4-medium": 0.6, "l4x1": 0.8, "l4x4": 3.8, "l40sx1": 1.8, "l40sx4": 8.3,
    "l40sx8": 23.5, "a10g-small": 1.0, "a10g-large": 1.5, "a10g-largex2": 3.0,
    "a10g-largex4": 5.0, "a100-large": 2.5, "a100x4": 10.0, "a100x8": 20.0, "h200": 5.0,
    "h200x2": 10.0, "h200x4": 20.0, "h200x8": 40.0, "rtx-pro-6000": 2.75,
    "rtx-pro-6000x2": 5.5, "rtx-pro-6000x4": 11.0, "rtx-pro-6000x8": 22.0,
}  # fmt: skip
ONLY_ACCEPTED = {"sprx8", "zero-a10g", "inf2x6"}  # in the enumeration, not in the price list

FIELDS: dict[str, type | tuple[type, ...]] = {
    "flavor": str, "dockerImage": str, "spaceId": str, "command": list, "arguments": list,
    "environment": dict, "secrets": dict, "timeoutSeconds": int, "attempts": int,
    "labels": dict, "volumes": list, "expose": dict, "ssh": dict, "network": dict,
    "resourceGroupId": str, "arch": str,
}  # fmt: skip
VOLUME_FIELDS = {"type", "source", "mountPath", "revision", "readOnly", "path"}
ENV_NAME = re.compile(r"[a-zA-Z][_a-zA-Z0-9]+")
SECRET_NAME = re.compile(r"[a-zA-Z][_a-zA-Z0-9]*")
LABEL = re.compile(r"[a-zA-Z0-9._-]{0,100}")
ARGUMENT_LIMIT = 131_071  # bytes; MAX_ARG_STRLEN of Linux less the final zero


def micro_usd_per_minute(flavor: str) -> int:
    """Return what a started minute costs."""
    return round(HOURLY_USD[flavor] * 1_000_000 / 60)


def hardware() -> list[dict[str, Any]]:
    """Return the body of GET /api/jobs/hardware."""
    return [_hardware_row(name) for name in HOURLY_USD]


def _hardware_row(name: str) -> dict[str, Any]:
    micro = micro_usd_per_minute(name)
    gpu = None
    if not name.startswith("cpu"):
        many = re.search(r"x(\d+)$", name)
        gpu = {
            "type": "gpu", "model": name.split("-")[0].upper(), "vram": "16 GB",
            "quantity": many.group(1) if many else "1", "manufacturer": "Nvidia",
        }  # fmt: skip
    return {
        "name": name, "prettyName": name.replace("-", " "), "cpu": "2 vCPU", "ram": "16 GB",
        "ephemeralStorage": "20 GB", "accelerator": gpu, "unitCostMicroUSD": micro,
        "unitCostUSD": micro / 1_000_000, "unitLabel": "minute",
    }  # fmt: skip


def check(body: Any) -> dict[str, Any]:
    """Return the body if it is a proper job.

    Raises:
        Refusal: 400 with what is wrong.
    """
    if not isinstance(body, dict):
        raise _bad("body must be an object")
    for key, value in body.items():
        _check_field(key, value)
    if ("dockerImage" in body) == ("spaceId" in body):
        raise _bad("exactly one of dockerImage and spaceId is required")
    if body.get("flavor") not in {*HOURLY_USD, *ONLY_ACCEPTED}:
        raise _bad(f"flavor: unknown value {body.get('flavor')!r}")
    _check_command(body)
    _check_mapping("environment", body.get("environment", {}), ENV_NAME)
    _check_mapping("secrets", body.get("secrets", {}), SECRET_NAME)
    _check_labels(body.get("labels", {}))
    for volume in body.get("volumes", []):
        _check_volume(volume)
    return body


def _check_field(key: str, value: Any) -> None:
    if key not in FIELDS:
        raise _bad(f"unrecognized key: {key}")
    if not isinstance(value, FIELDS[key]) or isinstance(value, bool):
        raise _bad(f"{key}: wrong type {type(value).__name__}")
    if key in ("timeoutSeconds", "attempts") and value < 1:
        raise _bad(f"{key}: must be at least 1")


def _check_command(body: dict[str, Any]) -> None:
    command = body.get("command")
    if not command:
        raise _bad("command: at least one item")
    for item in [*command, *body.get("arguments", [])]:
        if not isinstance(item, str) or not item:
            raise _bad("command: every item must be a text of at least 1 character")
        if len(item.encode()) > ARGUMENT_LIMIT:
            raise _bad("command: argument list too long")


def _check_mapping(field: str, mapping: dict[Any, Any], name: re.Pattern[str]) -> None:
    for key, value in mapping.items():
        if not name.fullmatch(key):
            raise _bad(f"{field}: bad name {key!r}")
        if not isinstance(value, str):
            raise _bad(f"{field}.{key}: must be a text")


def _check_labels(labels: dict[Any, Any]) -> None:
    for key, value in labels.items():
        if not isinstance(value, str) or not LABEL.fullmatch(value):
            raise _bad(f"labels.{key}: bad value {value!r}")
        if not key or not LABEL.fullmatch(key):
            raise _bad(f"labels: bad key {key!r}")


def _check_volume(volume: Any) -> None:
    if not isinstance(volume, dict) or set(volume) - VOLUME_FIELDS:
        raise _bad(f"volumes: unrecognized {volume!r}")
    if volume.get("type") not in ("bucket", "model", "dataset", "space"):
        raise _bad("volumes.type: unknown value")
    if not isinstance(volume.get("source"), str) or not volume["source"]:
        raise _bad("volumes.source: must be a text")
    if not str(volume.get("mountPath", "")).startswith("/"):
        raise _bad("volumes.mountPath: must start with /")


def _bad(message: str) -> Refusal:
    return Refusal(400, message)
