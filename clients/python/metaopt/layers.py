"""The building blocks of rules. Columns are coordinates: x is [rows, N]."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

import torch
from torch import Tensor

from .checkpoint import CheckpointError

SMALLEST_SQUARE = 1e-30
MOST_AT_ONCE = 1 << 17  # coordinates whose activations exist at the same time, where a rule allows pieces

Shapes = Dict[str, Tuple[int, ...]]


@dataclass(frozen=True)
class Pieces:
    """The tensors of one instance that take part in a step: each as (rows, columns), and where its coordinates lie."""

    matrices: Sequence[Tuple[int, int]]
    sizes: Sequence[int]
    counts: Tensor  # [tensors], on the device

    def spread(self, x: Tensor) -> Tensor:
        """Gives each coordinate its tensor's column: [k, tensors] to [k, N]."""
        return torch.repeat_interleave(x, self.counts, dim=1, output_size=sum(self.sizes))

    def mean(self, x: Tensor) -> Tensor:
        """Returns the mean over each tensor's coordinates: [k, N] to [k, tensors]."""
        return torch.stack([part.mean(1) for part in x.split(list(self.sizes), 1)], 1)


class Cell:
    """One layer of LSTM cells: gates input, forget (where there are forget gates), candidate, output."""

    def __init__(self, weight: Tensor, bias: Tensor, units: int, forget: bool) -> None:
        inputs = weight.shape[1] - units
        self.units, self.forget, self.bias = units, forget, bias[:, None]
        self.from_below, self.from_itself = weight[:, :inputs].contiguous(), weight[:, inputs:].contiguous()

    def step(self, x: Tensor, cell: Tensor, hidden: Tensor) -> Tensor:
        """Advances cell and hidden [units, N] in place; returns hidden."""
        gates = torch.addmm(self.bias, self.from_below, x).addmm_(self.from_itself, hidden)
        parts = gates.split(self.units)
        candidate, output = parts[-2].tanh_(), parts[-1].sigmoid_()
        if self.forget:
            cell.mul_(parts[1].sigmoid_())
        cell.addcmul_(parts[0].sigmoid_(), candidate)
        hidden.copy_(torch.tanh(cell).mul_(output))
        return hidden


class Gru:
    """One layer of GRU cells: gates update, reset; the update gate takes the candidate in."""

    def __init__(self, phi: Mapping[str, Tensor], name: str) -> None:
        self.gates, self.gates_bias = phi[f"{name}.gates.weight"], phi[f"{name}.gates.bias"][:, None]
        self.candidate, self.candidate_bias = phi[f"{name}.candidate.weight"], phi[f"{name}.candidate.bias"][:, None]

    def step(self, x: Tensor, hidden: Tensor) -> Tensor:
        units = len(hidden)
        gates = torch.addmm(self.gates_bias, self.gates, torch.cat([x, hidden])).sigmoid_()
        candidate = torch.addmm(self.candidate_bias, self.candidate, torch.cat([x, gates[units:] * hidden])).tanh_()
        return hidden + gates[:units] * (candidate - hidden)


def average(average: Tensor, x: Tensor, decays: Tensor) -> None:
    average.add_((x - average) * torch.exp(10 * decays))


def inverse_root(x: Tensor, epsilon: float) -> Tensor:
    # As the server computes it: the same roundings, where features are compared with it.
    return (x + epsilon).log_().mul_(-0.5).exp_()


def advance_weights(tensors: List[Tensor], keep: Tensor, take: Tensor) -> Tensor:
    """1 - decay^t of each tensor's own count of steps, for two decays: [2, tensors]."""
    weights = torch.stack(tensors, 1).mul_(keep).add_(take)
    for vector, column in zip(tensors, weights.unbind(1)):
        vector.copy_(column)
    return weights


def seen(options: Mapping[str, Any], gradient: Tensor) -> Tensor:
    """What a network sees of a gradient [N]: [1, N], or (log|g| / p, sign g) with clamps, [2, N]."""
    if options["preprocessing"] != "log-and-sign":
        return gradient[None]
    p = number(options, "preprocessingExponent")
    size = gradient.abs().clamp_(min=math.exp(-p)).log_().div_(p)
    return torch.stack([size, (gradient * math.exp(p)).clamp_(-1, 1)])


def split_state(rows: Tensor, layers: Sequence[int]) -> Iterator[Tuple[Tensor, Tensor]]:
    at = 0
    for units in layers:
        yield rows[at : at + units], rows[at + units : at + 2 * units]
        at += 2 * units


def slices(count: int) -> Iterator[slice]:
    return (slice(first, min(first + MOST_AT_ONCE, count)) for first in range(0, count, MOST_AT_ONCE))


def cells(phi: Mapping[str, Tensor], layers: Sequence[int], forget: bool) -> List[Cell]:
    return [Cell(phi[f"lstm.{l}.weight"], phi[f"lstm.{l}.bias"], units, forget) for l, units in enumerate(layers)]


def lstm_shapes(inputs: int, layers: Sequence[int], gates: int = 4) -> Shapes:
    result: Shapes = {}
    for layer, units in enumerate(layers):
        result[f"lstm.{layer}.weight"], result[f"lstm.{layer}.bias"] = (gates * units, inputs + units), (gates * units,)
        inputs = units
    return result


def gru_shapes(name: str, inputs: int, units: int) -> Shapes:
    return {
        f"{name}.gates.weight": (2 * units, inputs + units), f"{name}.gates.bias": (2 * units,),
        f"{name}.candidate.weight": (units, inputs + units), f"{name}.candidate.bias": (units,),
    }


def feature_count(options: Mapping[str, Any]) -> int:
    return 2 if options["preprocessing"] == "log-and-sign" else 1


def size(options: Mapping[str, Any], name: str, least: int = 1, most: int = 64) -> int:
    value = options[name]
    if type(value) is not int or not least <= value <= most:
        raise CheckpointError(f"The optimizer's {name} must be a whole number from {least} to {most}, got {value!r}.")
    return value


def sizes(options: Mapping[str, Any], name: str = "layers") -> List[int]:
    values = options[name]
    if not isinstance(values, list) or len(values) > 4:
        raise CheckpointError(f"The optimizer's {name} must be a list of at most 4 sizes, got {values!r}.")
    return [size({name: value}, name) for value in values]


def number(options: Mapping[str, Any], name: str) -> float:
    value = options[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise CheckpointError(f"The optimizer's {name} must be a number, got {value!r}.")
    return float(value)
