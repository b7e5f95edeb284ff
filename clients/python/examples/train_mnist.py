"""Trains the 784-20-10 network on MNIST with a learned optimizer next to Adam, and times their steps.

    python3 examples/train_mnist.py final.safetensors

The task is the server's ``mlp-classification``: sigmoid units, weights and biases from N(0, 0.01^2), batches of 128 images
drawn with replacement. The loss at each step is of that step's batch, as the server's evaluation reports it; the interval is
over instances.
"""
from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any, Callable, List, Tuple

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the package of this checkout, also where it is not installed

from examples.mnist import training_images  # noqa: E402
from metaopt import LearnedOptimizer  # noqa: E402

Make = Callable[[List[nn.Parameter]], Any]


def network(pixels: int, seed: int) -> nn.Sequential:
    """Returns a new network, its parameters drawn with ``seed``."""
    random = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Linear(pixels, 20), nn.Sigmoid(), nn.Linear(20, 10))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.01 * torch.randn(parameter.shape, generator=random))
    return model


def train(images: Tensor, labels: Tensor, make: Make, steps: int, seed: int, device: str = "cpu") -> List[float]:
    """Trains one network; returns the loss before each step and after the last one."""
    model = network(images.shape[1], seed).to(device)
    optimizer = make(list(model.parameters()))
    random = torch.Generator().manual_seed(1000 + seed)
    losses = []
    for step in range(steps + 1):
        batch = torch.randint(len(images), (128,), generator=random)
        loss = nn.functional.cross_entropy(model(images[batch].to(device)), labels[batch].to(device))
        losses.append(loss.item())
        if step < steps:
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    return losses


def final_loss(losses: List[List[float]]) -> Tuple[float, float]:
    """Returns mean and 95 % half-width of the last loss over the instances."""
    last = torch.tensor([run[-1] for run in losses], dtype=torch.float64)
    half = 1.96 * last.std().item() / len(last) ** 0.5 if len(last) > 1 else float("inf")
    return last.mean().item(), half


def step_seconds(make: Make, device: str = "cpu", steps: int = 50) -> float:
    """Returns the median time of one optimizer step of the 784-20-10 network, in seconds."""
    model = network(784, 0).to(device)
    parameters = list(model.parameters())
    optimizer = make(parameters)
    times = []
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = 0.01 * torch.randn_like(parameter)
        if device != "cpu":
            torch.cuda.synchronize()
        begun = time.perf_counter()
        optimizer.step()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return sorted(times)[len(times) // 2]


class OneByOne:
    """A plain loop for comparison: the learned rule on each parameter by itself."""

    def __init__(self, parameters: List[nn.Parameter], checkpoint: str) -> None:
        self.optimizers = [LearnedOptimizer([parameter], checkpoint) for parameter in parameters]

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train 784-20-10 on MNIST with a learned optimizer and with Adam.")
    parser.add_argument("checkpoint", help="a checkpoint of the server (safetensors)")
    parser.add_argument("--data", type=Path, help="folder of the IDX files; by default the data folder's mnist")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--instances", type=int, default=32)
    parser.add_argument("--adam", type=float, default=0.03, help="learning rate of Adam")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    images, labels = training_images(arguments.data)
    contestants = {
        "learned": lambda parameters: LearnedOptimizer(parameters, arguments.checkpoint),
        f"adam({arguments.adam:g})": lambda parameters: torch.optim.Adam(parameters, lr=arguments.adam),
    }
    for name, make in contestants.items():
        runs = [train(images, labels, make, arguments.steps, seed, arguments.device) for seed in range(arguments.instances)]
        mean, half = final_loss(runs)
        print(f"{name:24} loss after {arguments.steps} steps {mean:.4f} +- {half:.4f}")
    timed = {
        "learned": contestants["learned"],
        "learned, one by one": lambda parameters: OneByOne(parameters, arguments.checkpoint),
        "AdamW(foreach=True)": lambda parameters: torch.optim.AdamW(parameters, foreach=True),
        "AdamW, plain loop": lambda parameters: torch.optim.AdamW(parameters, foreach=False),
    }
    for name, make in timed.items():
        print(f"{name:24} {1e3 * step_seconds(make, arguments.device):.3f} ms a step")


if __name__ == "__main__":
    main()
