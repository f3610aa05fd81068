"""The routes under /api/jobs, /api/scheduled-jobs and the billing page."""

from __future__ import annotations

import math
import re
import secrets
from typing import TYPE_CHECKING
from typing import Any

from tests.doubles.hub import jobspec
from tests.doubles.hub.clock import iso
from tests.doubles.hub.jobs import Job
from tests.doubles.hub.refusal import Refusal

if TYPE_CHECKING:
    from tests.doubles.hub.server import Hub
    from tests.doubles.hub.server import Request

SCHEDULES = {"@annually", "@yearly", "@monthly", "@weekly", "@daily", "@hourly"}
CRON = re.compile(r"(\S+ ){4}\S+")


def hardware(hub: Hub, request: Request) -> Any:
    """GET /api/jobs/hardware: public."""
    return hub.hardware


def submit(hub: Hub, request: Request, ns: str) -> Any:
    """POST /api/jobs/{ns}."""
    hub.account.may(request.token, ns, "job.write")
    body = jobspec.check(request.json())
    hub.account.charge_possible()
    return hub.jobs.document(hub.jobs.create(ns, body))


def listing(hub: Hub, request: Request, ns: str) -> Any:
    """GET /api/jobs/{ns}?stage=&label=&cursor=, in pages with a Link header."""
    hub.account.may(request.token, ns, "job.read")
    unknown = {key for key, _ in request.query} - {"stage", "label", "cursor"}
    if unknown:
        raise Refusal(400, f"unknown query {sorted(unknown)}")
    stages = {value for key, value in request.query if key == "stage"}
    labels = dict(v.partition("=")[::2] for k, v in request.query if k == "label")
    start = int(dict(request.query).get("cursor", "0"))
    found = hub.jobs.listed(ns, stages, labels)
    if start + hub.page_size < len(found):
        request.link_next(start + hub.page_size)
    return [hub.jobs.document(job) for job in found[start : start + hub.page_size]]


def count(hub: Hub, request: Request, ns: str) -> Any:
    """GET /api/jobs/{ns}/count?stage=."""
    hub.account.may(request.token, ns, "job.read")
    return {"count": len(hub.jobs.listed(ns, {v for _, v in request.query}, {}))}


def auth_check(hub: Hub, request: Request, ns: str, what: str) -> Any:
    """POST /api/jobs/{ns}/auth-check/{read|write}."""
    hub.account.may(request.token, ns, f"job.{what}")
    return {"ok": True}


def inspect(hub: Hub, request: Request, ns: str, job_id: str) -> Any:
    """GET /api/jobs/{ns}/{id}."""
    return hub.jobs.document(_job(hub, request, ns, job_id, "job.read"))


def cancel(hub: Hub, request: Request, ns: str, job_id: str) -> Any:
    """POST /api/jobs/{ns}/{id}/cancel; of a finished job: nothing."""
    job = _job(hub, request, ns, job_id, "job.write")
    if hub.cancel_finished_status and job.finished_at is not None:
        raise Refusal(hub.cancel_finished_status, "Job has already finished")
    hub.jobs.cancel(job)
    return hub.jobs.document(job)


def labels(hub: Hub, request: Request, ns: str, job_id: str) -> Any:
    """PUT /api/jobs/{ns}/{id}/labels replaces all labels."""
    job = _job(hub, request, ns, job_id, "job.write")
    job.labels = dict(request.json()["labels"])
    return hub.jobs.document(job)


def usage(hub: Hub, request: Request) -> Any:
    """GET /api/settings/billing/usage/jobs: what each job cost, vanished ones too."""
    _ = request.token
    details = [_detail(job) for job in hub.jobs.all if job.started_at is not None]
    return {
        "hasAccess": True,
        "usage": {
            "usedMicroUsd": sum(d["totalCostMicroUsd"] for d in details),
            "totalMinutes": sum(d["totalMinutes"] for d in details),
            "periodStart": "2026-01-01T00:00:00.000Z",
            "periodEnd": "2027-01-01T00:00:00.000Z",
            "jobDetails": details,
        },
    }


def _detail(job: Job) -> dict[str, Any]:
    ended = {"completedAt": iso(job.finished_at)} if job.finished_at is not None else {}
    return {
        "jobId": job.id,
        "hardwareFlavor": job.body["flavor"],
        "totalMinutes": math.ceil((job.running_s or 0.0) / 60),
        "totalCostMicroUsd": job.billed_micro_usd,
        "startedAt": iso(job.started_at),
        **ended,
    }


def schedule(hub: Hub, request: Request, ns: str) -> Any:
    """POST /api/scheduled-jobs/{ns}."""
    hub.account.may(request.token, ns, "job.write")
    body = request.json()
    unknown = set(body) - {"jobSpec", "schedule", "suspend", "concurrency"}
    if unknown:
        raise Refusal(400, f"unrecognized key: {sorted(unknown)}")
    if body["schedule"] not in SCHEDULES and not CRON.fullmatch(body["schedule"]):
        raise Refusal(400, "schedule: neither a known word nor five fields")
    jobspec.check(body["jobSpec"])
    document = {
        "id": secrets.token_hex(12), "createdAt": iso(hub.clock.now()),
        "jobSpec": body["jobSpec"], "schedule": body["schedule"],
        "suspend": bool(body.get("suspend")), "concurrency": bool(body.get("concurrency")),
        "status": {"lastJob": None, "nextJobRunAt": iso(hub.clock.now() + 3600)},
        "owner": {"id": "5e9ecfc04957053f60648a3e", "name": ns, "type": "user"},
    }  # fmt: skip
    hub.scheduled[document["id"]] = document
    return document


def schedules(hub: Hub, request: Request, ns: str) -> Any:
    """GET /api/scheduled-jobs/{ns}."""
    hub.account.may(request.token, ns, "job.read")
    return [s for s in hub.scheduled.values() if s["owner"]["name"] == ns]


def scheduled(hub: Hub, request: Request, ns: str, scheduled_id: str) -> Any:
    """GET or DELETE /api/scheduled-jobs/{ns}/{id}."""
    hub.account.may(request.token, ns, "job.read" if request.method == "GET" else "job.write")
    document = _scheduled(hub, scheduled_id)
    if request.method == "DELETE":
        del hub.scheduled[scheduled_id]
    return document


def steer(hub: Hub, request: Request, ns: str, scheduled_id: str, verb: str) -> Any:
    """POST /api/scheduled-jobs/{ns}/{id}/{suspend|resume|run}."""
    hub.account.may(request.token, ns, "job.write")
    document = _scheduled(hub, scheduled_id)
    if verb != "run":
        document["suspend"] = verb == "suspend"
        return document
    hub.account.charge_possible()
    job = hub.jobs.create(ns, document["jobSpec"])
    document["status"]["lastJob"] = {"id": job.id, "at": iso(job.created_at)}
    return hub.jobs.document(job)


def _scheduled(hub: Hub, scheduled_id: str) -> Any:
    if scheduled_id not in hub.scheduled:
        raise Refusal(404, "Scheduled job not found")
    return hub.scheduled[scheduled_id]


def _job(hub: Hub, request: Request, ns: str, job_id: str, permission: str) -> Job:
    hub.account.may(request.token, ns, permission)
    job = hub.jobs.get(ns, job_id)
    if job is None:
        raise Refusal(404, "Job not found")
    return job
