"""Updates of every rule are those that the C# library recorded (tests/Domain.Tests/Learned/PyTorchGoldenTests.cs)."""
import json
import unittest
from pathlib import Path

import torch

from metaopt import Checkpoint, LearnedOptimizer
from metaopt.checkpoint import read_safetensors
from metaopt.rules import RULES

GOLDENS = Path(__file__).parent / "goldens"
WINDOW = 50
SMALLEST = 1e-35  # updates below it come of denormal numbers, which have fewer digits
METADATA, RECORDED = read_safetensors((GOLDENS / "updates.safetensors").read_bytes())
CASES = sorted(name[: -len(".updates")] for name in RECORDED if name.endswith(".updates"))


def recorded(name):
    values = RECORDED[name]
    return torch.frombuffer(values.data, dtype=torch.float32).reshape(values.shape).clone()


def updates(name, device="cpu", dtype=torch.float32):
    """The updates of all steps, [steps, coordinates], with theta put back before each step."""
    gradients, theta = recorded("gradients").to(device, dtype), recorded(f"{name}.theta").to(device, dtype)
    tensors = json.loads(METADATA["tensors"])
    sizes = [torch.Size(t["shape"]).numel() for t in tensors]
    params = [torch.nn.Parameter(torch.zeros(t["shape"], device=device, dtype=dtype)) for t in tensors]
    # A checkpoint of several networks gets its groups by name: here no parameter has the shape of a convolution's filters.
    several = name == "per-group"
    groups = [
        {"params": [p for p, t in zip(params, tensors) if t["part"] == part], "part": part} for part in ("convolution", "rest")
    ]
    optimizer = LearnedOptimizer(groups if several else params, GOLDENS / f"{name}.safetensors", output_first=False)
    result = []
    for gradient in gradients:
        with torch.no_grad():
            for param, value, g in zip(params, theta.split(sizes), gradient.split(sizes)):
                param.copy_(value.view(param.shape))
                param.grad = g.view(param.shape)
        optimizer.step()
        result.append(torch.cat([p.detach().reshape(-1) for p in params]) - theta)
    return torch.stack(result).float().cpu()


def worst(expected, actual):
    """Largest error relative to a coordinate's largest update within 50 steps; infinite where only one is not a number.

    What is recorded as not a number may be one here for other coordinates of the step first: the server's products with zeros
    spread it over the instance a step sooner.
    """
    result = 0.0
    for first in range(0, len(expected), WINDOW):
        a, b = expected[first : first + WINDOW], actual[first : first + WINDOW]
        same = (a == b) | (a.isnan() & b.isnan().any(1, keepdim=True))
        size = torch.where(a.isfinite(), a.abs(), torch.zeros(())).amax(0, keepdim=True).double()
        error = ((a.double() - b.double()).abs() - SMALLEST).clamp(min=0) / size
        error = torch.where(same, torch.zeros((), dtype=torch.float64), error.nan_to_num(nan=float("inf"), posinf=float("inf")))
        result = max(result, error.max().item())
    return result


class AgreementTests(unittest.TestCase):
    def test_all_rules_are_recorded(self):
        recorded_rules = {Checkpoint.load(GOLDENS / f"{case}.safetensors").rule for case in CASES}
        self.assertEqual(recorded_rules, {*RULES, "per-group"})

    def test_gradients_include_the_extremes(self):
        gradients = recorded("gradients").abs()
        self.assertTrue((gradients == 0).any() and (gradients == 1e30).any())
        self.assertTrue(((gradients > 0) & (gradients < 1.17e-38)).any())

    def test_updates_agree_to_1e_5(self):
        for name in CASES:
            with self.subTest(name):
                expected, actual = recorded(f"{name}.updates"), updates(name)
                self.assertGreater(expected[:WINDOW].abs().max().item(), 0)
                self.assertLess(worst(expected, actual), 1e-5)

    @unittest.skipUnless(torch.cuda.is_available(), "no GPU")
    def test_updates_agree_to_1e_5_on_a_gpu(self):
        torch.backends.cuda.matmul.allow_tf32 = False
        for name in CASES:
            with self.subTest(name):
                self.assertLess(worst(recorded(f"{name}.updates"), updates(name, "cuda")), 1e-5)


if __name__ == "__main__":
    for case in CASES:
        print(f"{case:20} {worst(recorded(f'{case}.updates'), updates(case)):.1e}")
