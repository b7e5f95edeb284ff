"""Writes the modules beside this file: python3 make.py (PyTorch 1.13 or later; what 1.13 writes, later ones read)."""
import pathlib

import torch
from torch import nn


class Mlp(nn.Module):
    """4 x 4 grey images to 3 classes; parameters in the order and layout of the task mlp-classification."""

    def __init__(self):
        super().__init__()
        self.w0, self.b0 = nn.Parameter(torch.randn(16, 5)), nn.Parameter(torch.randn(5))
        self.w1, self.b1 = nn.Parameter(torch.randn(5, 3)), nn.Parameter(torch.randn(3))

    def forward(self, x):
        return torch.tanh(x.flatten(1) @ self.w0 + self.b0) @ self.w1 + self.b1


class Channels(nn.Module):
    """The mean of each channel, scaled; a second parameter that has no influence."""

    def __init__(self):
        super().__init__()
        self.scale, self.unused = nn.Parameter(torch.tensor([1.0, 2.0, 3.0])), nn.Parameter(torch.ones(2))

    def forward(self, x):
        return x.mean((2, 3)) * self.scale


class Noisy(nn.Module):
    """A linear classifier of 4 x 4 grey images that drops half of them."""

    def __init__(self):
        super().__init__()
        self.drop, self.out = nn.Dropout(0.5), nn.Linear(16, 3)

    def forward(self, x):
        return self.out(self.drop(x.flatten(1)))


torch.manual_seed(1)
for module in (Mlp(), Channels(), Noisy()):
    torch.jit.script(module).save(str(pathlib.Path(__file__).parent / (type(module).__name__.lower() + ".pt")))
