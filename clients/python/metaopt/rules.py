"""The learned rules of the catalogue, in PyTorch: what docs/checkpoint-format.md defines, over N coordinates at once.

Columns are coordinates. A rule reads a gradient [N] (and theta [N]) and returns the update [N]; its state, zeros at first, is
changed in place. State comes in three parts: rows for each coordinate, values for each tensor, and values for the instance.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type

import torch
from torch import Tensor

from .checkpoint import CheckpointError, Values
from .layers import (
    SMALLEST_SQUARE, Gru, Pieces, Shapes, advance_weights, average, cells, feature_count, gru_shapes, inverse_root, lstm_shapes,
    number, seen, size, sizes, slices, split_state,
)


class Rule:
    """An update rule with its meta-parameters on one device."""

    mixes = False  # whether a coordinate's update depends on coordinates of other tensors of the instance
    reads_theta = False
    coordinate_rows = 0

    def __init__(self, options: Mapping[str, Any], phi: Mapping[str, Tensor]) -> None:
        self.options, self.phi = options, phi

    @staticmethod
    def shapes(options: Mapping[str, Any]) -> Shapes:
        """Returns names and shapes of the tensors that a checkpoint with these options holds."""
        raise NotImplementedError

    def tensor_values(self, rows: int, columns: int) -> int:
        """Returns how many values of state a tensor has."""
        return 0

    def instance_values(self, coordinates: int) -> int:
        """Returns how many values of state the instance has."""
        return 0

    def step(
        self, pieces: Pieces, gradient: Tensor, theta: Tensor, rows: Tensor, tensors: List[Tensor], instance: Tensor
    ) -> Tensor:
        """Returns the update [N]; rows [coordinate_rows, N], a vector for each tensor and the instance's vector are advanced."""
        raise NotImplementedError

    def part_of_instance(self, instance: Tensor, chosen: Optional[Tensor], coordinates: int) -> Tensor:
        """Returns the instance's state as the ``chosen`` of its coordinates see it; None is all of them."""
        return instance

    def put_back(self, instance: Tensor, chosen: Optional[Tensor], coordinates: int, part: Tensor) -> None:
        """Stores what a step made of :meth:`part_of_instance`."""


class LearnableSgd(Rule):
    """Gradient descent with a learned step size."""

    @staticmethod
    def shapes(options: Mapping[str, Any]) -> Shapes:
        return {"logLearningRate": (1,)}

    def step(
        self, pieces: Pieces, gradient: Tensor, theta: Tensor, rows: Tensor, tensors: List[Tensor], instance: Tensor
    ) -> Tensor:
        return gradient * -self.phi["logLearningRate"].exp()


class LearnableAdam(Rule):
    """Adam with learned step size, decays and epsilon."""

    coordinate_rows = 2

    @staticmethod
    def shapes(options: Mapping[str, Any]) -> Shapes:
        return {name: (1, 1) for name in ("logLearningRate", "logitBeta1", "logitBeta2", "logEpsilon")}

    def tensor_values(self, rows: int, columns: int) -> int:
        return 2

    def step(
        self, pieces: Pieces, gradient: Tensor, theta: Tensor, rows: Tensor, tensors: List[Tensor], instance: Tensor
    ) -> Tensor:
        logits = torch.cat([self.phi["logitBeta1"], self.phi["logitBeta2"]])
        keep, take = torch.sigmoid(logits), torch.sigmoid(-logits)  # [2, 1]
        weights = advance_weights(tensors, keep, take)
        rows[0].mul_(keep[0]).add_(take[0] * gradient)
        rows[1].mul_(keep[1]).add_(take[1] * gradient.square())
        spread = pieces.spread(weights)
        root = (rows[1] / spread[1]).clamp_(min=SMALLEST_SQUARE).sqrt_().add_(self.phi["logEpsilon"].exp()[0])
        return (rows[0] / root).mul_(-(self.phi["logLearningRate"].exp()[0] / spread[0]))


class Lstm(Rule):
    """The coordinatewise LSTM, with or without forget gates."""

    def __init__(self, options: Mapping[str, Any], phi: Mapping[str, Tensor]) -> None:
        super().__init__(options, phi)
        self.layers = sizes(options)
        self.coordinate_rows = 2 * sum(self.layers)
        self.cells = cells(phi, self.layers, bool(options["forgetGates"]))

    @staticmethod
    def shapes(options: Mapping[str, Any]) -> Shapes:
        inputs, layers = feature_count(options), sizes(options)
        gates = 4 if options["forgetGates"] else 3
        return {**lstm_shapes(inputs, layers, gates), "output.weight": (1, layers[-1] if layers else inputs), "output.bias": (1,)}

    def step(
        self, pieces: Pieces, gradient: Tensor, theta: Tensor, rows: Tensor, tensors: List[Tensor], instance: Tensor
    ) -> Tensor:
        update = torch.empty_like(gradient)
        for piece in slices(len(gradient)):
            x = seen(self.options, gradient[piece])
            for cell, (c, h) in zip(self.cells, split_state(rows[:, piece], self.layers)):
                x = cell.step(x, c, h)
            update[piece] = self._output(x)
        return update.mul_(number(self.options, "outputScale"))

    def _output(self, x: Tensor) -> Tensor:
        return torch.addmm(self.phi["output.bias"][:, None], self.phi["output.weight"], x)[0]


class RnnProp(Lstm):
    """RNNprop: normalised gradients and their means through a dense layer and LSTMs to a bounded update."""

    EPSILON = 1e-8

    def __init__(self, options: Mapping[str, Any], phi: Mapping[str, Tensor]) -> None:
        super().__init__({**options, "forgetGates": True}, phi)
        self.coordinate_rows += 2

    @staticmethod
    def shapes(options: Mapping[str, Any]) -> Shapes:
        features, layers = size(options, "features"), sizes(options)
        return {
            "input.weight": (features, 2), "input.bias": (features,), **lstm_shapes(features, layers),
            "output.weight": (1, layers[-1]), "output.bias": (1,),
        }

    def tensor_values(self, rows: int, columns: int) -> int:
        return 2

    def step(
        self, pieces: Pieces, gradient: Tensor, theta: Tensor, rows: Tensor, tensors: List[Tensor], instance: Tensor
    ) -> Tensor:
        decay1, decay2 = number(self.options, "beta1"), number(self.options, "beta2")
        decays = gradient.new_tensor([[decay1], [decay2]])
        weights = advance_weights(tensors, decays, gradient.new_tensor([[1 - decay1], [1 - decay2]]))
        m, v = rows[0], rows[1]
        m.mul_(decay1).add_(gradient, alpha=1 - decay1)
        v.mul_(decay2).add_(gradient.square(), alpha=1 - decay2)
        spread = pieces.spread(weights)
        root = (v / spread[1]).clamp_(min=SMALLEST_SQUARE).sqrt_().add_(self.EPSILON)
        inputs = torch.stack([m / spread[0] / root, gradient / root])
        update = torch.empty_like(gradient)
        for piece in slices(len(gradient)):
            x = torch.addmm(self.phi["input.bias"][:, None], self.phi["input.weight"], inputs[:, piece])
            x = torch.nn.functional.elu(x)
            for cell, (c, h) in zip(self.cells, split_state(rows[2:, piece], self.layers)):
                x = cell.step(x, c, h)
            update[piece] = self._output(x)
        return update.tanh_().mul_(-number(self.options, "outputScale"))


class LstmGac(Lstm):
    """The LSTM with global averaging cells: the first units of each layer output their mean over the instance's coordinates."""

    mixes = True

    def __init__(self, options: Mapping[str, Any], phi: Mapping[str, Tensor]) -> None:
        super().__init__({**options, "forgetGates": True}, phi)

    @staticmethod
    def shapes(options: Mapping[str, Any]) -> Shapes:
        return Lstm.shapes({**options, "forgetGates": True})

    def step(
        self, pieces: Pieces, gradient: Tensor, theta: Tensor, rows: Tensor, tensors: List[Tensor], instance: Tensor
    ) -> Tensor:
        x = self._controller(seen(self.options, gradient), rows)
        return self._output(x).mul_(number(self.options, "outputScale"))

    def _controller(self, x: Tensor, rows: Tensor) -> Tensor:
        most = size(self.options, "averagedUnits", least=0)
        for cell, (c, h) in zip(self.cells, split_state(rows, self.layers)):
            x = cell.step(x, c, h)
            averaged = h[: min(most, len(h))]
            averaged.copy_(averaged.mean(1, keepdim=True).expand_as(averaged))
        return x


class NtmBfgs(LstmGac):
    """A controller with a memory matrix over the instance's coordinates, read by keys and written by outer products."""

    LIMIT = 100
    WRITES = 3

    def __init__(self, options: Mapping[str, Any], phi: Mapping[str, Tensor]) -> None:
        super().__init__({**options, "preprocessing": "log-and-sign"}, phi)
        self.coordinate_rows += 1  # what was read last

    @staticmethod
    def shapes(options: Mapping[str, Any]) -> Shapes:
        layers, heads = sizes(options), 1 + 2 * NtmBfgs.WRITES
        return {
            **lstm_shapes(4, layers), "heads.weight": (heads, layers[-1]), "heads.bias": (heads,),
            "output.weight": (1, layers[-1]), "output.bias": (1,),
        }

    def instance_values(self, coordinates: int) -> int:
        if coordinates > self.LIMIT:
            raise ValueError(f"ntm-bfgs keeps a matrix over all coordinates; it takes at most {self.LIMIT}, not {coordinates}.")
        return coordinates * coordinates

    def part_of_instance(self, instance: Tensor, chosen: Optional[Tensor], coordinates: int) -> Tensor:
        memory = instance.view(coordinates, coordinates)
        return memory if chosen is None else memory[chosen][:, chosen]

    def put_back(self, instance: Tensor, chosen: Optional[Tensor], coordinates: int, part: Tensor) -> None:
        if chosen is not None:
            instance.view(coordinates, coordinates)[chosen[:, None], chosen[None, :]] = part

    def step(
        self, pieces: Pieces, gradient: Tensor, theta: Tensor, rows: Tensor, tensors: List[Tensor], instance: Tensor
    ) -> Tensor:
        x = self._controller(torch.cat([seen(self.options, gradient), seen(self.options, rows[0])]), rows[1:])
        heads = torch.addmm(self.phi["heads.bias"][:, None], self.phi["heads.weight"], x)
        rows[0] = instance.mv(heads[0])
        for at in range(1, len(heads), 2):
            instance.add_(torch.outer(heads[at], heads[at + 1]))
        return self._output(x).add_(rows[0]).mul_(number(self.options, "outputScale"))


class HierarchicalRnn(Rule):
    """GRUs for each coordinate, each tensor and the instance, on scaled averages of gradients."""

    mixes = True
    EPSILON = 1e-16

    def __init__(self, options: Mapping[str, Any], phi: Mapping[str, Tensor]) -> None:
        super().__init__(options, phi)
        self.units, self.tensor_units = size(options, "units"), size(options, "tensorUnits")
        self.global_units, self.scales = size(options, "globalUnits"), size(options, "scales", most=8)
        self.coordinate_rows = 2 * self.scales + 2 + self.units
        self.grus = {name: Gru(phi, name) for name in ("coordinate", "tensor", "global")}
        some = phi["output.weight"]
        self.take = some.new_tensor([[1 - 0.9 ** (0.5**s)] for s in range(self.scales)])

    @staticmethod
    def shapes(options: Mapping[str, Any]) -> Shapes:
        units, tensor, top = size(options, "units"), size(options, "tensorUnits"), size(options, "globalUnits")
        scales = size(options, "scales", most=8)
        return {
            **gru_shapes("coordinate", 2 * scales + 1 + tensor, units), **gru_shapes("tensor", units + top, tensor),
            **gru_shapes("global", tensor, top), "output.weight": (2, units), "shortcut": (1, scales), "logLearningRate": (1, 1),
        }

    def tensor_values(self, rows: int, columns: int) -> int:
        return self.scales + self.tensor_units

    def instance_values(self, coordinates: int) -> int:
        return self.global_units

    def step(
        self, pieces: Pieces, gradient: Tensor, theta: Tensor, rows: Tensor, tensors: List[Tensor], instance: Tensor
    ) -> Tensor:
        scales = self.scales
        per_tensor = torch.stack(tensors, 1)
        weights, middle = per_tensor[:scales], per_tensor[scales:]
        weights.add_((1 - weights) * self.take)
        rate, rate_mean, low = rows[2 * scales], rows[2 * scales + 1], rows[2 * scales + 2 :]
        scaled, magnitudes = self._scaled(pieces, gradient, rows, weights)
        relative = rate - pieces.spread(pieces.mean(rate[None]))[0]
        low.copy_(self.grus["coordinate"].step(torch.cat([scaled, magnitudes, relative[None], pieces.spread(middle)]), low))
        joined = torch.cat([pieces.mean(low), instance[:, None].expand(-1, middle.shape[1])])
        middle.copy_(self.grus["tensor"].step(joined, middle))
        instance.copy_(self.grus["global"].step(middle.mean(1, keepdim=True), instance[:, None])[:, 0])
        for vector, column in zip(tensors, per_tensor.unbind(1)):
            vector.copy_(column)

        output = self.phi["output.weight"] @ low
        direction = output[0] + (self.phi["shortcut"] @ scaled)[0]
        length = (pieces.mean(direction.square()[None]) + self.EPSILON).sqrt_()
        direction = direction / pieces.spread(length)[0]
        torch.add(rate_mean, output[1].clamp(-1, 1), out=rate)
        rate_mean.mul_(0.9).add_(rate, alpha=1 - 0.9)
        return direction.mul_((rate + self.phi["logLearningRate"][0]).exp_())

    def _scaled(self, pieces: Pieces, gradient: Tensor, rows: Tensor, weights: Tensor) -> Tuple[Tensor, Tensor]:
        """m_s / sqrt(v_s), and log v_s relative to its mean over the time scales, [scales, N] each."""
        means, squares = rows[: self.scales], rows[self.scales : 2 * self.scales]
        means.add_((gradient - means) * self.take)
        squares.add_((gradient.square() - squares) * self.take)
        spread = pieces.spread(weights)
        square = squares / spread + self.EPSILON
        logarithm = square.log()
        return (means / spread).div_(square.sqrt()), logarithm - logarithm.mean(0, keepdim=True)


class AdafactorMlp(Rule):
    """A small MLP on momenta, mean squares and Adafactor's factored ones, scaled over each tensor."""

    reads_theta = True
    coordinate_rows = 4
    FEATURES = 28
    TIME_SCALES = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)

    def __init__(self, options: Mapping[str, Any], phi: Mapping[str, Tensor]) -> None:
        super().__init__(options, phi)
        self.depth = len(sizes(options, "hidden")) + 1
        self.rates = phi["squareDecay"].new_tensor([[1 / scale] for scale in self.TIME_SCALES])

    @staticmethod
    def shapes(options: Mapping[str, Any]) -> Shapes:
        result: Shapes = {"momentumDecays": (3,), "squareDecay": (1,), "factorDecays": (3,)}
        inputs = AdafactorMlp.FEATURES + len(AdafactorMlp.TIME_SCALES)
        for layer, units in enumerate([*sizes(options, "hidden"), 2]):
            result[f"layer.{layer}.weight"], result[f"layer.{layer}.bias"] = (units, inputs), (units,)
            inputs = units
        return result

    def tensor_values(self, rows: int, columns: int) -> int:
        return 1 + 3 * rows + 3 * columns

    def step(
        self, pieces: Pieces, gradient: Tensor, theta: Tensor, rows: Tensor, tensors: List[Tensor], instance: Tensor
    ) -> Tensor:
        steps = torch.stack([vector[0] for vector in tensors])[None]
        weight, bias = self.phi["layer.0.weight"], self.phi["layer.0.bias"]
        embedding = (self.rates @ steps).sub_(1).tanh_()
        step_term = torch.addmm(bias[:, None], weight[:, self.FEATURES :], embedding)  # [units, tensors]
        sums, at = [], 0
        for index, (matrix, count) in enumerate(zip(pieces.matrices, pieces.sizes)):
            own = slice(at, at + count)
            features = self._features(matrix, gradient[own], theta[own], rows[:, own], tensors[index][1:])
            sums.append(torch.addmm(step_term[:, index : index + 1], weight[:, : self.FEATURES], features))
            tensors[index][0] += 1
            at += count
        x = torch.cat(sums, 1)
        for layer in range(1, self.depth):
            x = torch.addmm(self.phi[f"layer.{layer}.bias"][:, None], self.phi[f"layer.{layer}.weight"], x.relu_())
        magnitude = (x[1] * number(self.options, "magnitudeScale")).exp_()
        return (x[0] * magnitude).mul_(-number(self.options, "stepScale"))

    def _features(self, matrix: Tuple[int, int], gradient: Tensor, theta: Tensor, state: Tensor, factors: Tensor) -> Tensor:
        """The features of one tensor, [28, n], each divided by its root mean square."""
        height, width = matrix
        square = gradient.square()
        momenta, mean_square = state[:3], state[3]
        average(momenta, gradient[None], self.phi["momentumDecays"][:, None])
        average(mean_square, square, self.phi["squareDecay"])
        row, column = factors[: 3 * height].view(3, height), factors[3 * height :].view(3, width)
        take = self.phi["factorDecays"][:, None]
        by_row = square.view(height, width)
        average(row, by_row.mean(1)[None], take)
        average(column, by_row.mean(0)[None], take)
        rows = row[:, :, None].expand(3, height, width).reshape(3, -1)
        columns = rows if width == 1 else column[:, None, :].expand(3, height, width).reshape(3, -1)
        if width == 1:
            factor = inverse_root(rows, 1e-9)
        else:
            relative = row / (row.mean(1, keepdim=True) + 1e-9)
            by_rows = inverse_root(relative, 1e-9)[:, :, None].expand(3, height, width).reshape(3, -1)
            factor = by_rows * inverse_root(columns, 1e-9)
        inverse = inverse_root(mean_square, 1e-6)
        features = torch.cat([
            gradient[None], theta[None], momenta, mean_square[None], momenta * inverse, inverse[None], gradient * factor,
            rows, columns, inverse_root(rows, 1e-8), inverse_root(columns, 1e-8), momenta * factor,
        ])
        return features.mul_(inverse_root(features.square().mean(1, keepdim=True), 1e-5))


#: Rules by their names in the catalogue; ``per-group`` is several of one of them.
RULES: Dict[str, Type[Rule]] = {
    "lstm": Lstm, "lstm-gac": LstmGac, "ntm-bfgs": NtmBfgs, "rnnprop": RnnProp, "hierarchical-rnn": HierarchicalRnn,
    "adafactor-mlp": AdafactorMlp, "learnable-sgd": LearnableSgd, "learnable-adam": LearnableAdam,
}


@dataclass(frozen=True)
class Network:
    """One network of a checkpoint: its rule and its tensors."""

    rule: Type[Rule]
    options: Mapping[str, Any]
    tensors: Mapping[str, Values]

    def create(self, device: torch.device, dtype: torch.dtype) -> Rule:
        """Puts the meta-parameters on a device."""
        phi = {
            name: torch.frombuffer(values.data, dtype=torch.float32).reshape(values.shape).to(device, dtype, copy=True)
            for name, values in self.tensors.items()
        }
        return self.rule(self.options, phi)


def networks(rule: str, options: Mapping[str, Any], tensors: Mapping[str, Values]) -> Dict[str, Network]:
    """Returns a checkpoint's networks by the part of the parameters that each updates; a single network is called ``rest``.

    Raises :class:`CheckpointError` for an unknown rule, or tensors that are not those of the options.
    """
    try:
        if rule != "per-group":
            return {"rest": _network(rule, options, tensors, "")}
        inner, groups = options["network"], options["groups"]
        if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
            raise CheckpointError(f"The optimizer's groups must be a list of names, got {groups!r}.")
        return {part: _network(inner["type"], inner, tensors, f"{part}.") for part in [*groups, "rest"]}
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"The optimizer's options are incomplete: {error}.") from None


def _network(rule: str, options: Mapping[str, Any], tensors: Mapping[str, Values], prefix: str) -> Network:
    if rule not in RULES:
        raise CheckpointError(f'The rule "{rule}" is not known; known: {", ".join([*RULES, "per-group"])}.')
    own: Dict[str, Values] = {}
    for name, shape in RULES[rule].shapes(options).items():
        values = tensors.get(prefix + name)
        if values is None or values.shape != shape:
            found = "is missing" if values is None else f"has the shape {list(values.shape)}"
            raise CheckpointError(f"Tensor '{prefix + name}' {found}; the checkpoint's options ask for {list(shape)}.")
        own[name] = values
    return Network(RULES[rule], options, own)
