"""What an adviser proposes: checked like foreign input, kept with its reason and source.

A proposal is a system attribute of the study until a trial claims it. It is not a waiting trial,
because Optuna starts those before any sampler is heard, and a proposal is to be weighed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from sweeper.optimizer import checking
from sweeper.optimizer.claiming import Claims
from sweeper.optimizer.space import SEARCH_SPACE
from sweeper.optimizer.space import Space
from sweeper.optimizer.space import from_document

if TYPE_CHECKING:
    from optuna.study import Study

_PREFIX = "sweeper:proposal:"
_REFUSED = "sweeper:refused:"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration that somebody thinks worth a trial.

    Attributes:
        id: Its name in the study.
        params: Values by parameter; a part of the space is enough.
        why: One sentence: what makes it worth a run.
        source: URLs or arXiv ids that say so.
        confidence: From 0 to 1, or None.
        made_at: UTC seconds.
        order: Rank among the queued ones; the lowest was made first.
    """

    id: str
    params: dict[str, Any]
    why: str
    source: tuple[str, ...]
    confidence: float | None
    made_at: float
    order: int

    def as_document(self) -> dict[str, Any]:
        """Return the proposal as plain JSON."""
        return {
            "id": self.id,
            "params": self.params,
            "why": self.why,
            "source": list(self.source),
            "confidence": self.confidence,
            "made_at": self.made_at,
            "order": self.order,
        }


def propose(
    study: Study,
    params: Mapping[str, Any],
    *,
    why: str,
    source: Sequence[str] | str = (),
    confidence: float | None = None,
    space: Space | None = None,
) -> Proposal:
    """Queue a configuration, to be weighed against the model's own suggestions.

    Args:
        study: The study; its attribute `search_space`, the space its sampler was told, or what
            its trials have shown says what is legal. What nothing is known of is kept and checked
            when it is claimed.
        params: Values by name; the sampler fills what is missing.
        why: One sentence: what makes it worth a run.
        source: URLs or arXiv ids.
        confidence: From 0 to 1; shifts the start, results decide.
        space: The declared space, where the study does not carry it.

    Raises:
        ProposalError: It cannot be tried; the message names the parameter, the hint the nearest
            legal value.
        DuplicateProposalError: It is tried or queued already.
    """
    declared = space or declared_space(study)
    sources = (source,) if isinstance(source, str) else tuple(source)
    checking.check_words(why, sources, confidence)
    if declared is not None:
        checked = checking.legal_params(params, declared, closed=True)
    else:
        declared = checking.shown_space(study)
        checked = checking.legal_params(params, declared, closed=False)
    checking.refuse_duplicates(checked, declared, study, queued(study))
    proposal = Proposal(
        id=secrets.token_hex(4),
        params=checked,
        why=why.strip(),
        source=sources,
        confidence=None if confidence is None else float(confidence),
        made_at=time.time(),
        order=time.time_ns(),
    )
    study._storage.set_study_system_attr(
        study._study_id, _PREFIX + proposal.id, proposal.as_document()
    )
    return proposal


def all_proposals(study: Study) -> list[Proposal]:
    """Return every proposal that was ever accepted, in the order they were made."""
    return _parsed(study._storage.get_study_system_attrs(study._study_id))


def queued(study: Study, claims: Claims | None = None) -> list[Proposal]:
    """Return the proposals that no trial has claimed, in the order they were made."""
    attributes = study._storage.get_study_system_attrs(study._study_id)
    proposals = _parsed(attributes)
    if not proposals:
        return []
    gone = {*(claims or Claims(study)).all(), *refused(study)}
    return [p for p in proposals if p.id not in gone]


def refuse(study: Study, proposal: Proposal, reason: str) -> None:
    """Set a proposal aside for good that turned out not to be possible."""
    study._storage.set_study_system_attr(study._study_id, _REFUSED + proposal.id, reason)


def refused(study: Study) -> dict[str, str]:
    """Return the reasons, by id, of proposals that were set aside."""
    attributes = study._storage.get_study_system_attrs(study._study_id)
    return {k.removeprefix(_REFUSED): v for k, v in attributes.items() if k.startswith(_REFUSED)}


def declared_space(study: Study) -> Space | None:
    """Return the space that the study carries or that its sampler was told, or None."""
    document = study.user_attrs.get(SEARCH_SPACE)
    if document:
        return from_document(document)
    told = getattr(study.sampler, "space", None)
    return told if isinstance(told, Space) else None


def _parsed(attributes: Mapping[str, Any]) -> list[Proposal]:
    found = [
        Proposal(**{**entry, "source": tuple(entry["source"])})
        for key, entry in attributes.items()
        if key.startswith(_PREFIX)
    ]
    return sorted(found, key=lambda p: p.order)
