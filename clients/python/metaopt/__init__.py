"""Client of a MetaOpt server, and its learned optimizers as PyTorch optimizers.

The client and the checkpoint reader need the standard library alone. ``LearnedOptimizer`` needs PyTorch, and is imported when
it is used.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .checkpoint import Checkpoint, CheckpointError
from .client import ApiError, Client, RunFailed
from .table import Table

if TYPE_CHECKING:
    from .optimizer import LearnedOptimizer

__all__ = ["ApiError", "Checkpoint", "CheckpointError", "Client", "LearnedOptimizer", "RunFailed", "Table"]


def __getattr__(name: str) -> Any:
    if name == "LearnedOptimizer":
        from .optimizer import LearnedOptimizer

        return LearnedOptimizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
