"""Writes mlp.json: loss and gradient of the MLP task from PyTorch in float64, for MlpGoldenTests.

Run: /usr/bin/python3 mlp.py   (Debian: python3-torch). Inputs are closed formulas that the test repeats.
"""
import json
import os

import torch

torch.set_default_dtype(torch.float64)


def network(activation, hidden, batch, pixels=12, classes=3):
    widths = [pixels, *hidden, classes]
    count = sum((a + 1) * b for a, b in zip(widths, widths[1:]))
    theta = torch.tensor([((i * 37) % 101 - 50) / 100 for i in range(count)], requires_grad=True)
    images = torch.tensor([[(r * 53 + c * 29 + r * c) % 256 for c in range(pixels)] for r in range(batch)]) / 255
    labels = torch.tensor([(r * 2 + 1) % classes for r in range(batch)])
    x, offset = images, 0
    for layer, (a, b) in enumerate(zip(widths, widths[1:])):
        weights = theta[offset:offset + a * b].reshape(a, b)
        biases = theta[offset + a * b:offset + (a + 1) * b]
        offset += (a + 1) * b
        x = x @ weights + biases
        if layer + 2 < len(widths):
            x = activation(x)
    loss = torch.nn.functional.cross_entropy(x, labels)
    loss.backward()
    return {"hidden": hidden, "batch": batch, "loss": loss.item(), "gradient": [round(g, 12) for g in theta.grad.tolist()]}


torch_functions = {"sigmoid": torch.sigmoid, "relu": torch.relu, "tanh": torch.tanh, "elu": torch.nn.functional.elu}
result = {name: network(f, [4] if name != "tanh" else [3, 2], 5) for name, f in torch_functions.items()}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "mlp.json"), "w") as file:
    json.dump({"torch": torch.__version__, "cases": result}, file, indent=0)
    file.write("\n")
