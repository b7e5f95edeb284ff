"""The paper's optimizer in PyTorch: preprocessing (appendix A), LSTM layers, output; two ways of writing a step.

phi is a list of leaf tensors; a rule's gradient() gives d phi in the order and shapes of MetaOpt's tensors:
weight [4H, inputs + H] (gates i, f, g, o) and bias [4H] of each layer, output weight [1, H], output bias [1].
"""
import math

import torch


def preprocess(gradient, exponent):
    """[N] to [N, 2]: (log|g| / p, sign g), linear below e^-p."""
    size = gradient.abs().clamp_min(math.exp(-exponent)).log() / exponent
    return torch.stack((size, (gradient * math.exp(exponent)).clamp(-1, 1)), 1)


class Fused:
    """One product a layer: cat(x, h) W', then the gates are cut apart."""

    def __init__(self, phi, scale):
        self.phi = [p.clone().requires_grad_() for p in phi]
        self.scale = scale

    def start(self, count):
        return [(torch.zeros(count, w.shape[0] // 4), torch.zeros(count, w.shape[0] // 4)) for w in self.phi[:-2:2]]

    def step(self, x, state):
        """x [N, features]; returns the update [N] and the new state, a pair (h, c) a layer."""
        new_state = []
        for weight, bias, (h, c) in zip(self.phi[:-2:2], self.phi[1:-2:2], state):
            i, f, g, o = torch.addmm(bias, torch.cat((x, h), 1), weight.t()).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            x = torch.sigmoid(o) * torch.tanh(c)
            new_state.append((x, c))
        return self.output(x), new_state

    def output(self, x):
        return self.scale * torch.nn.functional.linear(x, self.phi[-2], self.phi[-1]).squeeze(-1)

    def whole(self, x):
        """All steps in one call of PyTorch's LSTM from zero state: x [K, N, features] to updates [K, N]."""
        weights = []
        for weight, bias in zip(self.phi[:-2:2], self.phi[1:-2:2]):
            inputs = weight.shape[1] - weight.shape[0] // 4
            weights += [weight[:, :inputs], weight[:, inputs:], bias, torch.zeros_like(bias)]
        layers, units = len(weights) // 4, self.phi[0].shape[0] // 4
        zero = torch.zeros(layers, x.shape[1], units)
        return self.output(torch.lstm(x, (zero, zero), weights, True, layers, 0.0, True, False, False)[0])

    def gradient(self):
        return [p.grad for p in self.phi]


class Cell:
    """A loop over torch.nn.LSTMCell."""

    def __init__(self, phi, scale):
        self.cells, self.phi, self.scale = [], [], scale
        for weight, bias in zip(phi[:-2:2], phi[1:-2:2]):
            units = weight.shape[0] // 4
            cell = torch.nn.LSTMCell(weight.shape[1] - units, units)
            cell.weight_ih.data, cell.weight_hh.data = weight[:, :-units].clone(), weight[:, -units:].clone()
            cell.bias_ih.data, cell.bias_hh.data = bias.clone(), torch.zeros_like(bias)
            cell.bias_hh.requires_grad_(False)  # ours has one bias
            self.cells.append(cell)
            self.phi += [cell.weight_ih, cell.weight_hh, cell.bias_ih]
        self.phi += [p.clone().requires_grad_() for p in phi[-2:]]

    def start(self, count):
        return [(torch.zeros(count, c.hidden_size), torch.zeros(count, c.hidden_size)) for c in self.cells]

    def step(self, x, state):
        new_state = []
        for cell, s in zip(self.cells, state):
            h, c = cell(x, s)
            new_state.append((h, c))
            x = h
        return self.scale * torch.nn.functional.linear(x, self.phi[-2], self.phi[-1]).squeeze(-1), new_state

    def gradient(self):
        grads = []
        for cell in self.cells:
            grads += [torch.cat((cell.weight_ih.grad, cell.weight_hh.grad), 1), cell.bias_ih.grad]
        return grads + [p.grad for p in self.phi[-2:]]
