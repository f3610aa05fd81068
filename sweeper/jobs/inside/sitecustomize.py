"""Runs at the start of every Python that has this folder on its path: watches for one import.

Once `transformers.trainer` is imported, its trainers get a callback that reports every digit.
Nothing else is imported here, because this runs at the start of every process of a job. Another
`sitecustomize` further down the path still runs, as if this one were not there.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_WATCHED = "transformers.trainer"
_HERE = __file__.rpartition("/")[0]


class _Watch:
    """A finder that finds nothing by itself; it adds a step behind one module's execution."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the watched module's spec as the other finders give it, with our step added."""
        if name != _WATCHED:
            return None
        sys.meta_path.remove(cls)
        spec = _found(name, path)
        if spec is not None and spec.loader is not None:
            _follow(spec)
        return spec


def _found(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    finders = (f for f in sys.meta_path if hasattr(f, "find_spec"))
    return next((spec for f in finders if (spec := f.find_spec(name, path))), None)


def _follow(spec: ModuleSpec) -> None:
    loader = spec.loader
    execute = loader.exec_module  # type: ignore[union-attr]  # the caller saw that it is there

    def exec_module(module: ModuleType) -> None:
        execute(module)
        import sweeper_callback  # type: ignore[import-not-found]  # beside this file

        sweeper_callback.attach(module)

    loader.exec_module = exec_module  # type: ignore[union-attr, method-assign]


def _run_the_other() -> None:
    """Run the `sitecustomize` that ours hides, if there is one; its errors are its own."""
    others = [entry for entry in sys.path if entry.rstrip("/") != _HERE]
    finder = next((f for f in sys.meta_path if getattr(f, "__name__", "") == "PathFinder"), None)
    spec = finder.find_spec("sitecustomize", others) if finder is not None else None
    if spec is None or spec.loader is None:
        return
    module = type(sys)("sitecustomize")
    module.__spec__, module.__loader__, module.__file__ = spec, spec.loader, spec.origin
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


sys.meta_path.insert(0, _Watch)
_run_the_other()
