"""What reaches the Hub in the end: a check of what was pushed, a tag, a card, deletes.

Nothing outside the program's `output_repos` is ever written or deleted, whatever is asked for.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from sweeper.budget.prices import format_usd
from sweeper.errors import RefusedError
from sweeper.jobs.hf.refusals import translated

if TYPE_CHECKING:
    from sweeper.jobs.hf.connection import Connection

BEGIN, END = "<!-- sweeper: begin -->", "<!-- sweeper: end -->"
CARD = "README.md"
NOT_CONTENT = {".gitattributes", CARD}
BARE_CARD = "---\ntags:\n- sweeper\n---\n"


@dataclass(frozen=True, slots=True)
class Output:
    """Where one trial pushes to.

    Attributes:
        repo_id: A model repository.
        revision: A branch of it, or None for `main`.
    """

    repo_id: str
    revision: str | None = None

    @property
    def branch(self) -> str:
        """The branch, `main` if none is named."""
        return self.revision or "main"


@dataclass(frozen=True, slots=True)
class Winner:
    """What the card of the best trial says.

    Attributes:
        study: Name of the sweep.
        uid: Its uid.
        trial: Number of the trial.
        params: Its configuration.
        metric: Name of the objective.
        value: Its value.
        uncertainty: Noise of the metric between repeats, or None if it was not measured.
        trials: Number of finished trials.
        cost_micro_usd: What the whole sweep cost.
        provenance: Further facts by name: script hash, data sets, base model, job page.
    """

    study: str
    uid: str
    trial: int
    params: dict[str, object]
    metric: str
    value: float
    uncertainty: float | None
    trials: int
    cost_micro_usd: int
    provenance: dict[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The tag that the winning revision gets."""
        return f"sweep-{self.uid}-best"


def output_of(pattern: str, study: str, uid: str, trial: int) -> Output:
    """Return where a trial pushes to under one entry of `output_repos` (DESIGN.md 3)."""
    if "*" in pattern:
        return Output(pattern.replace("*", f"{study}-{uid}-{trial}"))
    return Output(pattern, f"trial-{trial}")


def require_inside(repo_id: str, output_repos: Sequence[str]) -> None:
    """Refuse a repository outside of the scope.

    Raises:
        RefusedError: No entry of `output_repos` covers it.
    """
    if not any(fnmatch.fnmatchcase(repo_id, pattern) for pattern in output_repos):
        raise RefusedError(
            f"{repo_id} is outside of output_repos ({', '.join(output_repos) or 'none'}).",
            key="output_repos",
            hint="widen Scope in program.md and approve it",
        )


def pushed_url(connection: Connection, output: Output) -> str | None:
    """Return the page of what a trial pushed, or None if nothing but an empty repository is there.

    Raises:
        UnavailableError: The Hub is away.
    """
    from huggingface_hub.errors import RepositoryNotFoundError
    from huggingface_hub.errors import RevisionNotFoundError

    with translated(f"looking at {output.repo_id}", connection.endpoint):
        try:
            info = connection.api.model_info(output.repo_id, revision=output.branch)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            return None
    names = {sibling.rfilename for sibling in info.siblings or []}
    if not names - NOT_CONTENT:
        return None
    return f"{connection.endpoint}/{output.repo_id}/tree/{output.branch}"


def crown(
    connection: Connection, output: Output, winner: Winner, output_repos: Sequence[str]
) -> str:
    """Write the card's section and tag the revision; doing it again changes nothing.

    Returns:
        Page of the tagged revision.

    Raises:
        RefusedError: The repository is outside of the scope.
        ExecutorError: The Hub refuses it, or is away.
    """
    require_inside(output.repo_id, output_repos)
    with translated(f"publishing {output.repo_id}", connection.endpoint):
        commit = _write_card(connection, output, winner)
        _move_tag(connection, output.repo_id, winner.tag, commit)
    return f"{connection.endpoint}/{output.repo_id}/tree/{winner.tag}"


def delete(
    connection: Connection,
    losers: Sequence[Output],
    output_repos: Sequence[str],
    *,
    allow_deletes: bool,
) -> list[Output]:
    """Delete what losing trials pushed, if the envelope allows it.

    Returns:
        What is still there: all of it where deleting is not allowed.

    Raises:
        RefusedError: One of them is outside of the scope; then nothing is deleted.
        ExecutorError: The Hub refuses it, or is away.
    """
    for output in losers:
        require_inside(output.repo_id, output_repos)
    if not allow_deletes:
        return list(losers)
    for output in losers:
        with translated(f"deleting {output.repo_id}", connection.endpoint):
            _delete(connection, output)
    return []


def section(winner: Winner) -> str:
    """Return the card's section."""
    noise = "" if winner.uncertainty is None else f" ± {winner.uncertainty:.2g}"
    rows = [f"| `{n}` | `{_cell(v)}` |" for n, v in winner.params.items()]
    facts = {
        "Sweep": f"{winner.study} ({winner.uid}), trial {winner.trial} of {winner.trials}",
        "Cost of the sweep": format_usd(winner.cost_micro_usd),
        **winner.provenance,
    }
    return "\n".join(
        [
            BEGIN,
            "## Hyperparameters",
            "",
            f"{winner.metric}: **{winner.value:.6g}**{noise}",
            "",
            "| parameter | value |",
            "| --- | --- |",
            *rows,
            "",
            *(f"- {name}: {fact}" for name, fact in facts.items()),
            END,
        ]
    )


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def with_section(card: str, text: str) -> str:
    """Return a card with a section of ours in place of the one that it had, or at its end."""
    before, begin, rest = card.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        return before + text + after
    return f"{card.rstrip()}\n\n{text}\n"


def _write_card(connection: Connection, output: Output, winner: Winner) -> str:
    """Commit the card on top of what is there now, and return the commit."""
    from huggingface_hub import CommitOperationAdd

    head = connection.api.model_info(output.repo_id, revision=output.branch).sha
    card = _card(connection, output.repo_id, str(head))
    wanted = with_section(card or BARE_CARD, section(winner))
    if wanted == card:
        return str(head)
    commit = connection.api.create_commit(
        output.repo_id,
        [CommitOperationAdd(CARD, wanted.encode())],
        commit_message=f"Card of sweep {winner.study}, trial {winner.trial}",
        revision=output.branch,
        parent_commit=head,
    )
    return str(commit.oid)


def _card(connection: Connection, repo_id: str, revision: str) -> str | None:
    from huggingface_hub import get_session
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.utils._http import hf_raise_for_status

    address = f"{connection.endpoint}/{repo_id}/resolve/{revision}/{CARD}"
    answer = get_session().get(address, headers=connection.headers())
    try:
        hf_raise_for_status(answer)
    except EntryNotFoundError:
        return None
    return str(answer.text)


def _move_tag(connection: Connection, repo_id: str, tag: str, commit: str) -> None:
    tags = {t.name: t.target_commit for t in connection.api.list_repo_refs(repo_id).tags}
    if tags.get(tag) == commit:
        return
    if tag in tags:
        connection.api.delete_tag(repo_id, tag=tag)
    connection.api.create_tag(repo_id, tag=tag, revision=commit, exist_ok=True)


def _delete(connection: Connection, output: Output) -> None:
    from huggingface_hub.errors import RepositoryNotFoundError
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        if output.revision is None:
            connection.api.delete_repo(output.repo_id, missing_ok=True)
        else:
            connection.api.delete_branch(output.repo_id, branch=output.revision)
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return
