"""Writes conv.json: loss and gradient of the convolutional task from PyTorch in float64, for ConvGoldenTests.

Run: /usr/bin/python3 conv.py   (Debian: python3-torch). Inputs are closed formulas that the test repeats.
"""
import json
import os

import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
CLASSES, HEIGHT, WIDTH, CHANNELS, BATCH = 3, 8, 7, 3, 5
LAYERS = [(4, 3, 2), (3, 2, 3), (2, 1, 1)]  # filters, kernel, pooling
HIDDEN = [4]


def same(x, size, stride, value):
    """Pads NCHW images so that ceil(size / stride) windows fit, the odd row or column at the end."""
    pads = []
    for length in (x.shape[3], x.shape[2]):
        total = max(0, ((length + stride - 1) // stride - 1) * stride + size - length)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


def network(normalised):
    shapes, channels, h, w = [], CHANNELS, HEIGHT, WIDTH
    for filters, kernel, pooling in LAYERS:
        shapes.append((kernel * kernel * channels, filters, normalised))
        channels, h, w = filters, -(-h // pooling), -(-w // pooling)
    widths = [h * w * channels, *HIDDEN]
    shapes += [(a, b, normalised) for a, b in zip(widths, widths[1:])]
    shapes.append((widths[-1], CLASSES, False))
    count = sum(a * b + (2 if n else 1) * b for a, b, n in shapes)
    theta = torch.tensor([((i * 37) % 101 - 50) / 100 for i in range(count)], requires_grad=True)
    offset = 0

    def take(size):
        nonlocal offset
        offset += size
        return theta[offset - size:offset]

    def after(x, outputs, normal):
        if normal:
            gamma, beta = take(outputs), take(outputs)
            return F.batch_norm(x, None, None, gamma, beta, True, 0, 1e-3)
        return x + take(outputs).reshape(1, -1, *[1] * (x.dim() - 2))

    size = HEIGHT * WIDTH * CHANNELS
    images = torch.tensor([[(r * 53 + c * 29 + r * c) % 256 for c in range(size)] for r in range(BATCH)]) / 255
    labels = torch.tensor([(r * 2 + 1) % CLASSES for r in range(BATCH)])
    x = images.reshape(BATCH, HEIGHT, WIDTH, CHANNELS).permute(0, 3, 1, 2)
    for filters, kernel, pooling in LAYERS:
        weights = take(kernel * kernel * x.shape[1] * filters).reshape(kernel, kernel, x.shape[1], filters).permute(3, 2, 0, 1)
        x = F.relu(after(F.conv2d(same(x, kernel, 1, 0.0), weights), filters, normalised))
        x = F.max_pool2d(same(x, pooling, pooling, float("-inf")), pooling)
    x = x.permute(0, 2, 3, 1).reshape(BATCH, -1)
    for units in HIDDEN:
        x = F.relu(after(x @ take(x.shape[1] * units).reshape(-1, units), units, normalised))
    x = after(x @ take(x.shape[1] * CLASSES).reshape(-1, CLASSES), CLASSES, False)
    assert offset == count
    loss = F.cross_entropy(x, labels)
    loss.backward()
    return {"loss": loss.item(), "gradient": [round(g, 12) for g in theta.grad.tolist()]}


result = {"normalised": network(True), "biases": network(False)}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "conv.json"), "w") as file:
    json.dump({"torch": torch.__version__, "cases": result}, file, indent=0)
    file.write("\n")
