"""`propose --now`: a configuration that is not weighed but runs next.

A waiting trial with parameters, distributions and reason: any Optuna program starts it first, and
what it holds was checked when it was made (plain `enqueue_trial` checks nothing).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from optuna.trial import TrialState
from optuna.trial import create_trial

from sweeper.errors import ProposalError
from sweeper.optimizer import checking
from sweeper.optimizer.proposals import Proposal
from sweeper.optimizer.proposals import declared_space
from sweeper.optimizer.proposals import queued

if TYPE_CHECKING:
    from optuna.study import Study


def propose_now(
    study: Study,
    params: Mapping[str, Any],
    *,
    why: str,
    source: Sequence[str] | str = (),
    confidence: float | None = None,
) -> Proposal:
    """Queue a configuration as the next trial; the sampler fills what it does not name.

    Args:
        study: A study that carries its `search_space`.
        params: Values by name.
        why: One sentence: what makes it worth a run.
        source: URLs or arXiv ids.
        confidence: From 0 to 1, kept with the trial.

    Raises:
        ProposalError: It cannot be tried; the message names the parameter, the hint the nearest
            legal value.
    """
    space = declared_space(study)
    if space is None:
        raise ProposalError(
            "The study carries no search space, so nothing can run unweighed.",
            hint="Leave --now away: the proposal is checked when it is claimed.",
        )
    sources = (source,) if isinstance(source, str) else tuple(source)
    checking.check_words(why, sources, confidence)
    checked = checking.legal_params(params, space, closed=True)
    checking.refuse_duplicates(checked, space, study, queued(study))
    study.add_trial(
        create_trial(
            state=TrialState.WAITING,
            params=dict(checked),
            distributions={name: space.distributions[name] for name in checked},
            system_attrs={"fixed_params": dict(checked)},
            user_attrs={
                "origin": "proposal",
                "why": why.strip(),
                "source": list(sources),
                **({} if confidence is None else {"confidence": float(confidence)}),
            },
        )
    )
    return Proposal(
        id=secrets.token_hex(4),
        params=dict(checked),
        why=why.strip(),
        source=sources,
        confidence=confidence,
        made_at=time.time(),
        order=time.time_ns(),
    )
