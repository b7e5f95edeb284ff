"""Learned optimizers as PyTorch optimizers."""
from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union

import torch
from torch import Tensor

from .checkpoint import Checkpoint
from .layers import Pieces
from .rules import Rule, networks

Key = Tuple[int, str, torch.device, torch.dtype]


class LearnedOptimizer(torch.optim.Optimizer):
    """A learned update rule in the place of ``torch.optim.Adam``::

        optimizer = LearnedOptimizer(model.parameters(), "final.safetensors")

    **Instances.** One parameter group is one instance. Rules that mix coordinates (``lstm-gac``, ``ntm-bfgs``,
    ``hierarchical-rnn``) see the group's parameters that have a gradient as one theta; ``adafactor-mlp`` mixes within each
    parameter; the other rules treat each element alone. With ``per-group`` each network has the parameters of its part as an
    instance of its own. A rule that mixes coordinates needs all parameters of an instance on one device and of one dtype.

    Options of a parameter group:

    * ``lr``: factor on the learned update, 1 as trained. Schedulers change it.
    * ``part``: which network of a ``per-group`` checkpoint updates the parameters, ``convolution`` or ``rest``; None: parameters
      of three or more axes are convolutions.
    * ``output_first``: parameters have their outputs on the first axis, as PyTorch's layers do; the server's tasks have them
      on the last. Only ``adafactor-mlp`` tells the axes apart.

    A parameter whose gradient is None keeps its value and its state. Arithmetic is in float32, and float64 for parameters of
    float64. State is created at the first step.
    """

    def __init__(
        self,
        params: Iterable[Any],
        checkpoint: Union[str, "os.PathLike[str]", bytes, Checkpoint],
        lr: float = 1.0,
        part: Optional[str] = None,
        output_first: bool = True,
    ) -> None:
        self.checkpoint = checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint.load(checkpoint)
        self._networks = networks(self.checkpoint.rule, self.checkpoint.options, self.checkpoint.tensors)
        self._buckets: Dict[int, List[_Bucket]] = {}
        self._rules: Dict[Tuple[str, torch.device, torch.dtype], Rule] = {}
        defaults = {"lr": lr, "part": part, "output_first": output_first, "checkpoint": self.checkpoint.sha256}
        super().__init__(params, defaults)

    def add_param_group(self, param_group: Dict[str, Any]) -> None:
        """Adds a group, an instance of its own.

        Raises ValueError for an unknown part or a negative lr, TypeError for parameters that are not real numbers.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            self._check(group)
        except Exception:
            self.param_groups.pop()
            raise

    @torch.no_grad()
    def step(self, closure: Optional[Callable[[], Any]] = None) -> Any:
        """Updates all parameters that have a gradient; returns what ``closure`` returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for index, group in enumerate(self.param_groups):
            for bucket in self._of_group(index):
                bucket.step(float(group["lr"]))
        return loss

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a state.

        Raises ValueError when it is of another checkpoint or of other parameters.
        """
        for group in state_dict["param_groups"]:
            if group.get("checkpoint") != self.checkpoint.sha256:
                raise ValueError("The state belongs to another checkpoint; load that checkpoint first.")
        super().load_state_dict(dict(state_dict))
        # The base class casts state to the parameters' dtype; ours is float32 for half precision too.
        params = [p for group in self.param_groups for p in group["params"]]
        for key, values in state_dict["state"].items():
            if isinstance(key, int):
                param = params[key]
                self.state[param] = {name: _own_copy(value, param) for name, value in values.items()}
            else:
                self.state[key] = {name: value.clone() for name, value in values.items()}
        self._buckets.clear()

    def __getstate__(self) -> Dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups, "checkpoint": self.checkpoint}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        super().__setstate__(state)
        self._networks = networks(self.checkpoint.rule, self.checkpoint.options, self.checkpoint.tensors)
        self._buckets, self._rules = {}, {}

    def _check(self, group: Dict[str, Any]) -> None:
        if not float(group["lr"]) >= 0:
            raise ValueError(f"lr must be at least 0, got {group['lr']}.")
        if group["part"] is not None and group["part"] not in self._networks:
            known = ", ".join(self._networks)
            raise ValueError(f'The checkpoint has no network for "{group["part"]}"; it has: {known}.')
        for param in group["params"]:
            if not param.is_floating_point():
                raise TypeError(f"A learned optimizer updates real parameters, not {param.dtype}.")

    def _of_group(self, index: int) -> List["_Bucket"]:
        """The parameters of a group by network, device and dtype, each with its state in one piece."""
        group = self.param_groups[index]
        buckets = self._buckets.get(index)
        if buckets is not None and all(b.is_current() for b in buckets):
            return buckets
        by_key: Dict[Key, List[Tensor]] = {}
        for param in group["params"]:
            key = (index, self._part_of(group, param), param.device, param.dtype)
            by_key.setdefault(key, []).append(param)
        buckets = []
        for (_, part, device, dtype), params in by_key.items():
            rule = self._rule(part, device, _arithmetic(dtype))
            if rule.mixes and sum(key[1] == part for key in by_key) > 1:
                raise ValueError(
                    f"{self.checkpoint.rule} mixes all coordinates of a parameter group; "
                    "put parameters of other devices or dtypes into other groups.")
            name = f"instance.{index}.{part}.{dtype}"
            buckets.append(_Bucket.create(self.state, name, rule, params, bool(group["output_first"])))
        self._buckets[index] = buckets
        return buckets

    def _part_of(self, group: Mapping[str, Any], param: Tensor) -> str:
        part = group["part"] or ("convolution" if param.dim() >= 3 else "rest")
        return part if part in self._networks else "rest"

    def _rule(self, part: str, device: torch.device, dtype: torch.dtype) -> Rule:
        key = (part, device, dtype)
        if key not in self._rules:
            self._rules[key] = self._networks[part].create(device, dtype)
        return self._rules[key]


@dataclass
class _Bucket:
    """Parameters that are updated together, and their state: each parameter's entry of ``optimizer.state`` is a view of it."""

    rule: Rule
    params: List[Tensor]
    output_first: bool
    rows: Tensor  # [rule.coordinate_rows, N]
    tensors: List[Tensor]
    instance: Tensor
    device: torch.device
    offsets: List[int] = field(default_factory=list)
    pieces: Dict[Tuple[int, ...], Pieces] = field(default_factory=dict)

    @staticmethod
    def create(state: Any, name: str, rule: Rule, params: List[Tensor], output_first: bool) -> "_Bucket":
        dtype, device = _arithmetic(params[0].dtype), params[0].device
        sizes = [p.numel() for p in params]
        count = sum(sizes)
        rows = torch.zeros(rule.coordinate_rows, count, dtype=dtype, device=device)
        lengths = [rule.tensor_values(*_matrix(p, output_first)) if p.numel() else 0 for p in params]
        tensors = list(torch.zeros(sum(lengths), dtype=dtype, device=device).split(lengths))
        instance = torch.zeros(rule.instance_values(count), dtype=dtype, device=device)
        bucket = _Bucket(rule, params, output_first, rows, tensors, instance, device)
        at = 0
        for param, size, tensor in zip(params, sizes, tensors):
            bucket.offsets.append(at)
            own = {"coordinates": rows[:, at : at + size], "tensor": tensor}
            _take_over(state.get(param, {}), own)
            state[param] = own
            at += size
        if len(instance):
            values = {"values": instance}
            _take_over(state.get(name, {}), values)
            state[name] = values
        return bucket

    def is_current(self) -> bool:
        """False after ``module.to(device)`` and the like."""
        return all(p.device == self.device for p in self.params)

    def step(self, lr: float) -> None:
        chosen = [i for i, p in enumerate(self.params) if p.grad is not None and p.numel()]
        if not chosen:
            return
        params = [self.params[i] for i in chosen]
        gradients = []
        for param in params:
            gradient = param.grad
            assert gradient is not None
            if gradient.is_sparse:
                raise RuntimeError("A learned optimizer takes dense gradients; create the embedding with sparse=False.")
            gradients.append(self._flat(gradient))
        dtype = self.rows.dtype
        gradient = torch.cat(gradients).to(dtype)
        theta = torch.cat([self._flat(p.detach()) for p in params]).to(dtype) if self.rule.reads_theta else gradient
        pieces = self._pieces(chosen, params)
        total = self.rows.shape[1]
        columns = None if len(gradient) == total else torch.cat([self._columns(i) for i in chosen])
        rows = self.rows if columns is None else self.rows.index_select(1, columns)
        instance = self.rule.part_of_instance(self.instance, columns, total)
        update = self.rule.step(pieces, gradient, theta, rows, [self.tensors[i] for i in chosen], instance)
        if columns is not None:
            self.rows.index_copy_(1, columns, rows)
        self.rule.put_back(self.instance, columns, total, instance)
        updates = [self._shaped(u, p) for u, p in zip(update.split(list(pieces.sizes)), params)]
        torch._foreach_add_(params, updates, alpha=lr)

    def _columns(self, index: int) -> Tensor:
        first = self.offsets[index]
        return torch.arange(first, first + self.params[index].numel(), device=self.device)

    def _pieces(self, chosen: List[int], params: List[Tensor]) -> Pieces:
        key = tuple(chosen)
        if key not in self.pieces:
            sizes = [p.numel() for p in params]
            if len(self.pieces) > 64:
                self.pieces.clear()
            matrices = [_matrix(p, self.output_first) for p in params]
            self.pieces[key] = Pieces(matrices, sizes, torch.tensor(sizes, device=self.device))
        return self.pieces[key]

    def _flat(self, x: Tensor) -> Tensor:
        """All elements in the server's order: outputs on the last axis."""
        return (x.movedim(0, -1) if self.output_first and x.dim() > 1 else x).reshape(-1)

    def _shaped(self, flat: Tensor, param: Tensor) -> Tensor:
        flat = flat.to(param.dtype)
        if not self.output_first or param.dim() < 2:
            return flat.view(param.shape)
        return flat.view(*param.shape[1:], param.shape[0]).movedim(-1, 0)


def _matrix(param: Tensor, output_first: bool) -> Tuple[int, int]:
    """(rows, columns) of a parameter: all axes but the outputs', the outputs; a vector is one column."""
    if param.dim() < 2:
        return param.numel(), 1
    columns = param.shape[0] if output_first else param.shape[-1]
    return param.numel() // max(columns, 1), columns


def _arithmetic(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _own_copy(value: Tensor, param: Tensor) -> Tensor:
    return value.to(device=param.device, dtype=_arithmetic(param.dtype), copy=True)


def _take_over(saved: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    for name, value in saved.items():
        if name not in own or value.shape != own[name].shape:
            wanted = list(own[name].shape) if name in own else "none"
            raise ValueError(f"The saved state's {name} has the shape {list(value.shape)}; the parameters ask for {wanted}.")
        own[name].copy_(value)
