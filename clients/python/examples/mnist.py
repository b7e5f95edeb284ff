"""MNIST as ``./metaopt data fetch mnist`` leaves it: IDX files (LeCun's MNIST page), plain or gzip, in the data folder."""
from __future__ import annotations

import gzip
from pathlib import Path
from typing import Optional, Tuple

import torch
from torch import Tensor

from metaopt.client import data_folder

MOST_BYTES = 1 << 30


def read_idx(folder: Path, name: str, rank: int) -> Tensor:
    """Reads the bytes of an IDX file of ``rank`` dimensions."""
    path = folder / name
    if not path.exists():
        path = folder / f"{name}.gz"
    if not path.exists():
        raise FileNotFoundError(f"{folder / name} is missing; fetch it with ./metaopt data fetch mnist.")
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        data = file.read(MOST_BYTES)
    if data[:4] != bytes([0, 0, 8, rank]) or len(data) < 4 + 4 * rank:
        raise ValueError(f"{path} is not an IDX file of bytes with {rank} dimensions.")
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    count = 1
    for dimension in shape:
        count *= dimension
    if count != len(data) - 4 - 4 * rank:
        raise ValueError(f"{path} has {len(data) - 4 - 4 * rank} values; its header promises {count}.")
    return torch.frombuffer(bytearray(data[4 + 4 * rank :]), dtype=torch.uint8).reshape(shape)


def training_images(folder: Optional[Path] = None) -> Tuple[Tensor, Tensor]:
    """Returns the training images, [n, pixels] within 0..1, and their labels [n]."""
    folder = folder or data_folder() / "data" / "mnist"
    images, labels = read_idx(folder, "train-images-idx3-ubyte", 3), read_idx(folder, "train-labels-idx1-ubyte", 1)
    return images.flatten(1).float().div_(255), labels.long()
