"""Optuna's tables read with plain SQL: the study's attributes and its trials.

The encodings are those of Optuna's relational storage (schema version 12): parameters as numbers
beside their distribution's JSON, infinities and NaN as a type beside an empty value, times as
naive UTC.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from typing import Any

from sweeper.summary.records import Job
from sweeper.summary.records import Scalar
from sweeper.summary.records import Trial
from sweeper.summary.records import Verdict
from sweeper.summary.rows import Rows

_STATES = {
    "WAITING": "waiting",
    "RUNNING": "running",
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
}

#: Trial attributes that the conductor writes; flat names, so that Optuna's dashboard sorts them.
_ATTRIBUTES = (
    "origin",
    "why",
    "source",
    "confidence",
    "proposal",
    "repeat_of",
    "ended_by",
    "job_url",
    "seed",
    "cost_usd",
)

_SPECIAL = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}

_OF_STUDY = "JOIN trials t ON t.trial_id = x.trial_id WHERE t.study_id = :study"


def find_study(rows: Rows, uid: str | None, name: str) -> int | None:
    """Return Optuna's id of a study, looked for by its uid, then by its name.

    In a database shared by many, only the uid tells studies of one name apart.
    """
    by_uid = rows.select(
        "SELECT study_id FROM study_user_attributes"
        " WHERE key = 'sweeper:uid' AND value_json = :uid",
        uid=json.dumps(uid),
    )
    found = by_uid or rows.select(
        "SELECT study_id FROM studies WHERE study_name = :name", name=name
    )
    return int(found[0][0]) if found else None


def user_attributes(rows: Rows, study: int) -> dict[str, Any]:
    """Return the study's user attributes."""
    found = rows.select(
        "SELECT key, value_json FROM study_user_attributes WHERE study_id = :study", study=study
    )
    return {key: json.loads(value) for key, value in found}


def direction(rows: Rows, study: int) -> str:
    """Return "minimize" or "maximize"."""
    found = rows.select(
        "SELECT direction FROM study_directions WHERE study_id = :study ORDER BY objective",
        study=study,
    )
    return str(found[0][0]).lower() if found else "minimize"


def proposal_attributes(rows: Rows, study: int) -> list[tuple[str, dict[str, Any]]]:
    """Return (id, document) of every proposal that was kept to be weighed, oldest first."""
    prefix = "sweeper:proposal:"
    found = rows.select(
        "SELECT key, value_json FROM study_system_attributes WHERE study_id = :study"
        " AND key LIKE :pattern ORDER BY study_system_attribute_id",
        study=study,
        pattern=f"{prefix}%",
    )
    return [(key.removeprefix(prefix), json.loads(value)) for key, value in found]


def read_trials(
    rows: Rows,
    study: int,
    jobs: dict[int, tuple[Job, ...]],
    verdicts: dict[int, Verdict],
    paused: set[int],
    *,
    curves: bool,
) -> tuple[tuple[Trial, ...], dict[str, str]]:
    """Return all trials by number, and each parameter's latest distribution as Optuna's JSON.

    Args:
        rows: The database.
        study: Optuna's id of the study.
        jobs: Ledger rows by trial number.
        verdicts: What was decided, by trial number.
        paused: Numbers of trials that were set aside.
        curves: Whether to read every curve; without it only those of running trials.
    """
    heads = rows.select(
        "SELECT trial_id, number, state, datetime_start, datetime_complete"
        " FROM trials WHERE study_id = :study ORDER BY number",
        study=study,
    )
    values = _values(rows, study)
    params, distributions = _params(rows, study)
    attributes = _attributes(rows, study)
    fixed = _fixed_params(rows, study)
    readings = _curves(rows, study, everything=curves)
    undecided = Verdict(None, None, None, None)
    trials = []
    for id_, number, state, started, finished in heads:
        own = attributes.get(id_, {})
        verdict = verdicts.get(number, undecided)
        trials.append(
            Trial(
                number=number,
                state="paused" if state == "RUNNING" and number in paused else _STATES[state],
                origin=_origin(own, enqueued=state == "WAITING" or id_ in fixed),
                value=values.get(id_),
                params=params.get(id_) or fixed.get(id_, {}),
                decision=verdict.decision,
                reason=verdict.reason,
                noise_floor=verdict.noise_floor,
                confirmed=verdict.confirmed,
                why=own.get("why") or None,
                source=sources(own.get("source")),
                confidence=own.get("confidence"),
                proposal=own.get("proposal"),
                repeat_of=own.get("repeat_of"),
                ended_by=own.get("ended_by") or None,
                job_url=own.get("job_url") or None,
                seed=own.get("seed"),
                cost_usd=own.get("cost_usd"),
                started_at=_seconds(started),
                finished_at=_seconds(finished),
                curve=tuple(readings.get(id_, ())),
                jobs=jobs.get(number, ()),
            )
        )
    return tuple(trials), distributions


def _origin(attributes: dict[str, Any], *, enqueued: bool) -> str:
    if attributes.get("origin"):
        return str(attributes["origin"])
    if attributes.get("repeat_of") is not None:
        return "repeat"
    return "queued" if enqueued else "model"


def sources(value: object) -> tuple[str, ...]:
    """Return citations that were kept as a list, as its JSON text or as a single text."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return (str(value),)
    if isinstance(value, list | tuple):
        return tuple(str(each) for each in value)
    return (str(value),) if value else ()


def _values(rows: Rows, study: int) -> dict[int, float]:
    found = rows.select(
        f"SELECT x.trial_id, x.value, x.value_type FROM trial_values x {_OF_STUDY}"
        " AND x.objective = 0",
        study=study,
    )
    return {id_: _number(value, kind) for id_, value, kind in found}


def _number(value: float | None, kind: str) -> float:
    return _SPECIAL[kind] if value is None else value


def _params(rows: Rows, study: int) -> tuple[dict[int, dict[str, Scalar]], dict[str, str]]:
    found = rows.select(
        "SELECT x.trial_id, x.param_name, x.param_value, x.distribution_json"
        f" FROM trial_params x {_OF_STUDY} ORDER BY x.param_id",
        study=study,
    )
    decoders: dict[str, Callable[[float], Scalar]] = {}
    latest: dict[str, str] = {}
    params: dict[int, dict[str, Scalar]] = defaultdict(dict)
    for id_, name, value, distribution in found:
        if distribution not in decoders:
            decoders[distribution] = decoder(distribution)
        params[id_][name] = decoders[distribution](value)
        latest[name] = distribution
    return params, latest


def decoder(distribution: str) -> Callable[[float], Scalar]:
    """Return what turns a stored number back into the parameter's value.

    Args:
        distribution: The JSON of Optuna's distribution.
    """
    document = json.loads(distribution)
    if document["name"] == "CategoricalDistribution":
        choices = document["attributes"]["choices"]
        return lambda value: choices[int(value)]
    return int if document["name"].startswith("Int") else float


def _attributes(rows: Rows, study: int) -> dict[int, dict[str, Any]]:
    names = ", ".join(f"'{name}'" for name in _ATTRIBUTES)
    found = rows.select(
        f"SELECT x.trial_id, x.key, x.value_json FROM trial_user_attributes x {_OF_STUDY}"
        f" AND x.key IN ({names})",
        study=study,
    )
    # One parse of one list costs a tenth of a parse for each value.
    values = json.loads(f"[{','.join(row[2] for row in found)}]")
    attributes: dict[int, dict[str, Any]] = defaultdict(dict)
    for (id_, key, _), value in zip(found, values, strict=True):
        attributes[id_][key] = value
    return attributes


def _fixed_params(rows: Rows, study: int) -> dict[int, dict[str, Scalar]]:
    found = rows.select(
        f"SELECT x.trial_id, x.value_json FROM trial_system_attributes x {_OF_STUDY}"
        " AND x.key = 'fixed_params'",
        study=study,
    )
    return {id_: json.loads(value) for id_, value in found}


def _curves(rows: Rows, study: int, *, everything: bool) -> dict[int, list[tuple[int, float]]]:
    which = "" if everything else " AND t.state = 'RUNNING'"
    found = rows.select(
        "SELECT x.trial_id, x.step, x.intermediate_value, x.intermediate_value_type"
        f" FROM trial_intermediate_values x {_OF_STUDY}{which} ORDER BY x.step",
        study=study,
    )
    curves: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for id_, step, value, kind in found:
        # NaN marks a reading that a later attempt withdrew (LOOP.md, section 3, step 6).
        if kind != "NAN":
            curves[id_].append((step, _number(value, kind)))
    return curves


def _seconds(moment: str | datetime | None) -> float | None:
    if moment is None:
        return None
    parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return parsed.replace(tzinfo=UTC).timestamp()
