"""Exactly one trial takes a proposal, whoever asks.

On a database with our tables the row in `sweeper_claim` decides; on any other relational storage
the unique key of Optuna's own study attributes does; in memory a lock. Other storages (a journal)
are safe for one process.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._rdb import models

from sweeper.optimizer.storage import database_of

if TYPE_CHECKING:
    from optuna.study import Study

    from sweeper.state.database import Database

#: User attribute of the study: its uid in our tables.
UID = "sweeper:uid"

_CLAIM = "sweeper:claim:"
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Taken:
    """A proposal that a trial has taken.

    Attributes:
        proposal: Id of the proposal.
        trial: Number of the trial.
        params: The proposal's values, completed.
    """

    proposal: str
    trial: int
    params: dict[str, Any]


class Claims:
    """The claims of one study, wherever its storage lets them be kept."""

    def __init__(self, study: Study) -> None:
        self._storage = study._storage
        self._study_id = study._study_id
        self._relational = database_of(study._storage)
        self._uid = study.user_attrs.get(UID)
        self._tables = self._opened(self._relational) if self._uid else None

    @staticmethod
    def _opened(relational: RDBStorage | None) -> Database | None:
        if relational is None or not sqlalchemy.inspect(relational.engine).has_table(
            "sweeper_claim"
        ):
            return None
        from sweeper.state.database import open_database

        url = relational.engine.url.render_as_string(hide_password=False)
        return open_database(url, create=False)

    def take(self, proposal: str, trial: int, params: dict[str, Any]) -> bool:
        """Take a proposal for a trial; whether this call was the one that got it."""
        if self._tables is not None and self._uid is not None:
            from sweeper.state import claims

            return claims.claim(self._tables, self._uid, proposal, trial, params, time.time())
        text = json.dumps({"trial": trial, "params": params})
        if self._relational is not None:
            return self._insert(self._relational, _CLAIM + proposal, text)
        with _LOCK:
            if _CLAIM + proposal in self._attributes():
                return False
            self._storage.set_study_system_attr(self._study_id, _CLAIM + proposal, text)
            return True

    def all(self) -> dict[str, Taken]:
        """Return every claim by proposal id."""
        if self._tables is not None and self._uid is not None:
            from sweeper.state import claims

            rows = claims.all(self._tables, self._uid)
            return {r.proposal: Taken(r.proposal, r.trial, r.params) for r in rows}
        return of_attributes(self._attributes())

    def _attributes(self) -> dict[str, Any]:
        return self._storage.get_study_system_attrs(self._study_id)

    def _insert(self, relational: RDBStorage, key: str, text: str) -> bool:
        table: Any = models.StudySystemAttributeModel.__table__
        row = {"study_id": self._study_id, "key": key, "value_json": json.dumps(text)}
        try:
            with relational.engine.begin() as connection:
                connection.execute(sqlalchemy.insert(table).values(**row))
        except sqlalchemy.exc.IntegrityError:
            return False
        return True


def of_attributes(attributes: dict[str, Any]) -> dict[str, Taken]:
    """Return the claims that are kept among a study's system attributes."""
    taken = {}
    for key, text in attributes.items():
        if key.startswith(_CLAIM):
            entry = json.loads(text)
            proposal = key.removeprefix(_CLAIM)
            taken[proposal] = Taken(proposal, entry["trial"], entry["params"])
    return taken
