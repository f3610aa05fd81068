"""Names and columns of our tables, their version and the migrations between versions.

Standard library only: `summary.py` and the commands that only look read these tables with plain
SQL. `database.py` builds the same tables through SQLAlchemy from `TABLES`.

Conventions: every row carries its study's `uid`, so that one PostgreSQL holds many studies. Times
are UTC seconds since 1970 (float). Money is whole micro-dollars (int). No foreign key points into
Optuna's tables.
"""

from __future__ import annotations

VERSION = 1

# Column kinds: text, int (64 bit), real. A trailing "!" means NOT NULL.
# The primary key comes first; "unique" lists further unique column groups; "index" plain ones.
TABLES: dict[str, dict[str, object]] = {
    "sweeper_schema": {
        "columns": {"version": "int!"},
        "primary_key": ["version"],
    },
    # One row a study: its identity, as `approve` created it.
    "sweeper_study": {
        "columns": {
            "uid": "text!",
            "name": "text!",
            "folder": "text!",  # the folder of program.md on the machine that created it
            "metric": "text!",
            "direction": "text!",
            "executor": "text",  # fixed at the first run
            "created_at": "real!",
            "state": "text!",  # new, running, paused, stopped, finished
            "stop_reason": "text",
            "program_sha256": "text!",
            "space": "text!",  # JSON: the declared search space
            "verdict_epoch": "int!",  # raised when script or dependencies change
            "belief": "text",  # JSON: what the model believed when it was last asked
        },
        "primary_key": ["uid"],
        "index": [["name"]],
    },
    # Versioned: the newest row is in force. `covers` is everything a person said yes to.
    "sweeper_approval": {
        "columns": {
            "uid": "text!",
            "version": "int!",
            "covers": "text!",  # JSON: approval.Covers
            "approved_at": "real!",
            "approved_by": "text!",
        },
        "primary_key": ["uid", "version"],
    },
    "sweeper_lease": {
        "columns": {
            "uid": "text!",
            "epoch": "int!",
            "host": "text!",
            "machine_id": "text!",
            "boot_id": "text!",
            "pid": "int!",
            "process_started": "text!",  # start time as the kernel tells it
            "since": "real!",
            "heartbeat_at": "real!",
            "ttl_s": "real!",  # how long a heartbeat speaks for its holder
            "released_at": "real",
        },
        "primary_key": ["uid"],
    },
    # The ledger: one row an attempt. state: reserved, submitting, submitted, cancelling,
    # terminal, settled, given_back.
    "sweeper_job": {
        "columns": {
            "id": "int!",
            "uid": "text!",
            "purpose": "text!",  # <study>/<trial>/<attempt>
            "trial": "int",  # null outside a sweep
            "attempt": "text!",  # "1", "2", … or "e1" for an evaluation
            "reservation": "text!",  # 128 random bits, hexadecimal; a duplicate's: <that>/<job id>
            "duplicate_of": "int",  # sweeper_job.id of the row whose job was created twice
            "state": "text!",
            "executor": "text!",
            "flavor": "text!",
            "timeout_s": "real!",
            "clipped": "int!",  # 1 where the end of the budget cut the timeout
            "micro_usd_per_minute": "int!",
            "reserved_micro_usd": "int!",
            "params": "text!",  # JSON: as read back from the study
            "seed": "int!",
            "job_id": "text",
            "reserved_at": "real!",
            "submitting_at": "real",
            "submitted_at": "real",
            "cancelling_at": "real",
            "cancel_reason": "text",  # what `ended_by` becomes
            "started_at": "real",
            "finished_at": "real",
            "settled_at": "real",
            "stage": "text",
            "outcome": "text",  # complete, pruned, failed, lost (another attempt follows)
            "value": "real",
            "ended_by": "text",
            "failure": "text",  # JSON: cause, sentence, excerpt of the log, fix
            "billed_s": "real",
            "charged_s": "real",  # seconds that money counts for: Starting and Running
            "cost_micro_usd": "int",
            "estimated": "int",
            "url": "text",
            "told": "int!",  # 1 once attributes and tell are done
        },
        "primary_key": ["id"],
        "unique": [["uid", "purpose", "reservation"], ["reservation"]],
        "index": [["uid", "trial"], ["uid", "state"]],
    },
    # Which proposal became which trial: the insert decides between processes.
    "sweeper_claim": {
        "columns": {
            "uid": "text!",
            "proposal": "text!",
            "trial": "int!",
            "params": "text!",  # JSON: the completed values
            "claimed_at": "real!",
        },
        "primary_key": ["uid", "proposal"],
        "unique": [["uid", "trial"]],
    },
    # How far each job's log was read, with the reader's own state.
    "sweeper_cursor": {
        "columns": {
            "uid": "text!",
            "job": "int!",  # sweeper_job.id
            "cursor": "text!",
            "reader": "text!",  # JSON: MetricReader.state()
            "last_value": "real",
            "last_step": "int",
            "last_at": "real",
        },
        "primary_key": ["uid", "job"],
    },
    # Keep or discard, as it stands now: rewritten whenever the noise floor moves.
    "sweeper_verdict": {
        "columns": {
            "uid": "text!",
            "trial": "int!",
            "decision": "text!",
            "reason": "text!",
            "noise_floor": "real",
            "confirmed": "int",
            "verdict_epoch": "int!",
            "decided_at": "real!",
        },
        "primary_key": ["uid", "trial"],
    },
    # What people ask of a running conductor. verb: stop, stop_cancel, pause, resume, cancel.
    "sweeper_request": {
        "columns": {
            "id": "int!",
            "uid": "text!",
            "verb": "text!",
            "argument": "text",
            "asked_at": "real!",
            "asked_by": "text!",
            "done_at": "real",
            "answer": "text",
        },
        "primary_key": ["id"],
        "index": [["uid", "done_at"]],
    },
    "sweeper_event": {
        "columns": {
            "id": "int!",
            "uid": "text!",
            "at": "real!",
            "kind": "text!",
            "trial": "int",
            "detail": "text!",  # JSON
        },
        "primary_key": ["id"],
        "index": [["uid", "id"]],
    },
    # Trials that were set aside, to be resumed or told PRUNED at the end.
    "sweeper_paused": {
        "columns": {
            "uid": "text!",
            "trial": "int!",
            "paused_at": "real!",
            "reason": "text!",
            "checkpoint": "text",
        },
        "primary_key": ["uid", "trial"],
    },
}

# States of a job row that still bind money: what they reserved is not free for others.
OPEN_STATES = ("reserved", "submitting", "submitted", "cancelling", "terminal")

# What a study has used and reserved (bind :uid). A row that was given back created no job and
# counts for nothing. One text for every reader, so that no view can disagree with the ledger.
USAGE = """
SELECT
  COALESCE(SUM(CASE WHEN state = 'settled' THEN 1 ELSE 0 END), 0) AS jobs_used,
  COALESCE(SUM(CASE WHEN state <> 'settled' THEN 1 ELSE 0 END), 0) AS jobs_reserved,
  COALESCE(SUM(CASE WHEN state = 'settled' THEN billed_s ELSE 0 END), 0) AS walltime_s_used,
  COALESCE(SUM(CASE WHEN state <> 'settled' THEN timeout_s ELSE 0 END), 0) AS walltime_s_reserved,
  COALESCE(SUM(CASE WHEN state = 'settled' THEN cost_micro_usd ELSE 0 END), 0) AS micro_usd_used,
  COALESCE(SUM(CASE WHEN state <> 'settled' THEN reserved_micro_usd ELSE 0 END), 0)
    AS micro_usd_reserved,
  COALESCE(SUM(CASE WHEN state <> 'settled' THEN 1 ELSE 0 END), 0) AS in_flight,
  MIN(submitted_at) AS first_submitted_at
FROM sweeper_job
WHERE uid = :uid AND state <> 'given_back'
"""

# MIGRATIONS[n] are the statements that lead from version n to n + 1.
MIGRATIONS: dict[int, list[str]] = {}
