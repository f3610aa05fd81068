"""Whether a proposed configuration can be tried: refusals with the nearest legal value."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution

from sweeper.errors import ProposalError
from sweeper.optimizer.encoding import Coder
from sweeper.optimizer.evidence import ENDED_BY
from sweeper.optimizer.evidence import NOT_STARTED
from sweeper.optimizer.evidence import ORIGIN
from sweeper.optimizer.inferring import infer
from sweeper.optimizer.space import Space
from sweeper.optimizer.space import canonical
from sweeper.optimizer.space import legal
from sweeper.optimizer.space import nearest
from sweeper.optimizer.space import same

if TYPE_CHECKING:
    from optuna.study import Study

    from sweeper.optimizer.proposals import Proposal

#: Two configurations are the same where no number differs by more than this part of its axis.
TOLERANCE = 1e-3

SCHEMA = Path(__file__).parent / "schemas" / "proposals.json"


class DuplicateProposalError(ProposalError):
    """The configuration is tried or queued already.

    Attributes:
        trial: Number of the trial that has tried or is trying it, or None.
        proposal: Id of the queued proposal that says the same, or None.
    """

    code = "duplicate"

    def __init__(self, message: str, *, trial: int | None, proposal: str | None) -> None:
        super().__init__(message, hint="Propose something that differs in what matters.")
        self.trial = trial
        self.proposal = proposal


def check_words(why: str, source: Sequence[str], confidence: float | None) -> None:
    """Raise ProposalError unless reason, sources and confidence are what they should be."""
    if not isinstance(why, str) or not why.strip():
        raise ProposalError(
            "A proposal needs its reason.", key="why", hint="Say in one sentence why it may pay."
        )
    if any(not isinstance(s, str) or not s.strip() for s in source):
        raise ProposalError(
            "A source is a URL or an arXiv id.",
            key="source",
            hint='For example "arXiv:2106.09685".',
        )
    if confidence is None:
        return
    number = isinstance(confidence, int | float) and not isinstance(confidence, bool)
    if not number or not 0 <= confidence <= 1:
        raise ProposalError(
            f"The confidence {confidence!r} is not a number from 0 to 1.", key="confidence"
        )


def legal_params(
    params: Mapping[str, Any], space: Space | None, *, closed: bool
) -> dict[str, Any]:
    """Return the values as the space's own types.

    Args:
        params: What is proposed.
        space: What is known of the space, or None.
        closed: Whether a name that the space does not know is an error.

    Raises:
        ProposalError: Naming the parameter, with the nearest legal value as the hint.
    """
    if not isinstance(params, Mapping) or not params:
        raise ProposalError(
            "A proposal names at least one parameter with its value.", key="params"
        )
    known = {} if space is None else space.distributions
    for name, value in params.items():
        if name in known:
            _refuse_value(name, value, known[name])
        elif closed:
            raise _unknown(name, list(known))
        elif value is not None and not isinstance(value, str | int | float | bool):
            raise ProposalError(f"`{name}` is not a plain value: {value!r}.", key=name)
    checked = {n: canonical(known[n], v) if n in known else v for n, v in params.items()}
    if space is not None and closed:
        _refuse_inactive(checked, space)
        _refuse_broken(checked, space)
    return checked


def refuse_duplicates(
    params: Mapping[str, Any], space: Space | None, study: Study, queue: Sequence[Proposal]
) -> None:
    """Raise DuplicateProposalError where the configuration is tried or queued already."""
    alike = _Alike(params, space)
    for trial in study.get_trials(deepcopy=False):
        attrs = trial.user_attrs
        if attrs.get(ORIGIN) == "repeat" or attrs.get(ENDED_BY) == NOT_STARTED:
            continue
        params_of = {**trial.params, **trial.system_attrs.get("fixed_params", {})}
        if alike(params_of):
            raise DuplicateProposalError(
                f"Trial {trial.number} tries this configuration already.",
                trial=trial.number,
                proposal=None,
            )
    for waiting in queue:
        if alike(waiting.params):
            raise DuplicateProposalError(
                f"Proposal {waiting.id} in the queue says the same.",
                trial=None,
                proposal=waiting.id,
            )


def shown_space(study: Study) -> Space | None:
    """Return the space as the study's trials have shown it, or None."""
    return infer(study.get_trials(deepcopy=False))


class _Alike:
    """Compares one configuration with others, number by number along their axes."""

    def __init__(self, params: Mapping[str, Any], space: Space | None) -> None:
        self._params = dict(params)
        self._coder = None if space is None else Coder(space)

    def __call__(self, other: Mapping[str, Any]) -> bool:
        if set(other) != set(self._params):
            return False
        if self._coder is None or not set(other) <= set(self._coder.names):
            return self._equal(other)
        known = self._coder.space.distributions
        if not all(legal(known[n], v) for n, v in other.items()):
            return False
        gap = self._coder.encode(self._params) - self._coder.encode(other)
        return bool(np.nanmax(np.abs(gap)) <= TOLERANCE)

    def _equal(self, other: Mapping[str, Any]) -> bool:
        return all(_close(v, other[n]) for n, v in self._params.items())


def _close(left: Any, right: Any) -> bool:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (left, right))
    if numbers:
        return math.isclose(left, right, rel_tol=TOLERANCE)
    return type(left) is type(right) and bool(left == right)


def _refuse_value(name: str, value: Any, distribution: BaseDistribution) -> None:
    if legal(distribution, value):
        return
    offered = nearest(distribution, value)
    raise ProposalError(
        f"`{name}` cannot be {value!r}: {_allowed(distribution)}.",
        key=name,
        hint=None if offered is None else f"The nearest legal value is {offered!r}.",
    )


def _allowed(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return "it is one of " + ", ".join(repr(c) for c in distribution.choices)
    whole = isinstance(distribution, IntDistribution)
    kind = "a whole number" if whole else "a number"
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    text = f"it is {kind} from {distribution.low!r} to {distribution.high!r}"
    step = distribution.step
    return text if step is None or (whole and step == 1) else f"{text} in steps of {step!r}"


def _unknown(name: str, known: list[str]) -> ProposalError:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean `{close[0]}`?" if close else f"Parameters are: {', '.join(known)}."
    return ProposalError(f"The search space has no parameter `{name}`.", key=name, hint=hint)


def _refuse_inactive(params: Mapping[str, Any], space: Space) -> None:
    """Refuse a value that another one switches off; unnamed parents are filled to fit."""
    for name in params:
        for parent, values in space.ancestors(name).items():
            if parent not in params or any(same(params[parent], v) for v in values):
                continue
            options = " or ".join(repr(v) for v in values)
            raise ProposalError(
                f"`{name}` has no effect: it is active only with `{parent}` = {options}, "
                f"and `{parent}` is {params[parent]!r}.",
                key=name,
                hint=f"Set `{parent}` to {options}, or leave `{name}` out.",
            )


def _refuse_broken(params: Mapping[str, Any], space: Space) -> None:
    """Refuse what breaks a constraint, as far as the proposal names all that it speaks of."""
    broken = [
        c.text
        for c in space.constraints
        if set(c.names) <= set(params) and not c.evaluate(dict(params))
    ]
    if broken:
        raise ProposalError(
            f"It breaks the constraint `{broken[0]}`.",
            key="constraints",
            hint=_legal_neighbour(params, space),
        )


def _legal_neighbour(params: Mapping[str, Any], space: Space) -> str | None:
    from sweeper.optimizer.drawing import Draws
    from sweeper.optimizer.space import SpaceExhausted

    coder = Coder(space)
    start = coder.settle(coder.encode(params)[None])
    draws = Draws(coder, np.random.default_rng(0))
    try:
        offered = np.concatenate([draws.near(start, 0.1, 0.3, 256), draws.uniform(64)])
    except SpaceExhausted:
        return None
    gap = np.abs(np.nan_to_num(offered - start)).sum(axis=1)
    chosen = coder.decode(offered[gap.argmin()])
    named = {n: chosen[n] for n in params if n in chosen}
    return f"The nearest legal configuration found is {json.dumps(named)}."
