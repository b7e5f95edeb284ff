"""Strict reader of checkpoints (docs/checkpoint-format.md). It executes nothing, and checks all sizes before it allocates."""
from __future__ import annotations

import hashlib
import json
import os
import sys
from array import array
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

FORMAT = "metaopt.learned-optimizer"
VERSION = "1"
MOST_HEADER = 1 << 20
MOST_BYTES = 256 << 20


class CheckpointError(ValueError):
    """A file that is not a checkpoint of this version, or one that contradicts itself."""


@dataclass(frozen=True)
class Values:
    """One tensor: its shape, and its elements in row-major order."""

    shape: Tuple[int, ...]
    data: "array[float]"


@dataclass(frozen=True)
class Checkpoint:
    """A learned optimizer: rule, options, meta-parameters, and the training specification that made it."""

    rule: str
    options: Mapping[str, Any]
    spec: Mapping[str, Any]
    tensors: Mapping[str, Values]
    sha256: str

    @staticmethod
    def load(source: Union[str, "os.PathLike[str]", bytes]) -> "Checkpoint":
        """Reads a file, or the bytes of one.

        Raises :class:`CheckpointError` with the reason when it is not a checkpoint.
        """
        if isinstance(source, bytes):
            data = source
        else:
            size = os.path.getsize(source)
            if size > MOST_BYTES:
                raise CheckpointError(f"The file has {size} bytes; a checkpoint has at most {MOST_BYTES}.")
            with open(source, "rb") as file:
                data = file.read(MOST_BYTES + 1)
        metadata, tensors = read_safetensors(data)
        if metadata.get("format") != FORMAT or metadata.get("version") != VERSION:
            raise CheckpointError(f"This is not a '{FORMAT}' file of version {VERSION}.")
        spec = _parse(metadata.get("spec", ""), "specification")
        options = spec.get("optimizer")
        if not isinstance(options, dict) or not isinstance(options.get("type"), str):
            raise CheckpointError("The checkpoint's specification has no optimizer with a type.")
        return Checkpoint(options["type"], options, spec, tensors, hashlib.sha256(data).hexdigest())


def read_safetensors(data: bytes) -> Tuple[Dict[str, str], Dict[str, Values]]:
    """Reads float32 safetensors: the metadata, and tensors by name. Each byte must belong to exactly one tensor."""
    if len(data) > MOST_BYTES:
        raise CheckpointError(f"The file has more than {MOST_BYTES} bytes.")
    if len(data) < 8:
        raise CheckpointError(f"A safetensors file has at least 8 bytes, this has {len(data)}.")
    length = int.from_bytes(data[:8], "little")
    if length > MOST_HEADER or length > len(data) - 8:
        raise CheckpointError(f"The header claims {length} bytes of {len(data) - 8}; at most {MOST_HEADER} are allowed.")
    try:
        text = data[8 : 8 + length].decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"The header is not UTF-8: {error.reason}.") from None
    header = _parse(text, "header")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise CheckpointError("The header's __metadata__ must be an object of texts.")
    body = memoryview(data)[8 + length :]
    claims = sorted((_claim(name, entry, len(body)) for name, entry in header.items()), key=lambda claim: claim[:2])
    at = 0
    for start, end, name, _ in claims:
        if start != at:
            raise CheckpointError(f"Tensor '{name}' begins at byte {start}; the tensor before it ends at {at}.")
        at = end
    if at != len(body):
        raise CheckpointError(f"The file has {len(body)} bytes of data, and its tensors have {at}.")
    tensors = {name: Values(shape, _floats(body[start:end])) for start, end, name, shape in claims}
    return metadata, tensors


def _claim(name: str, entry: Any, size: int) -> Tuple[int, int, str, Tuple[int, ...]]:
    if not isinstance(entry, dict) or entry.get("dtype") != "F32":
        raise CheckpointError(f"Tensor '{name}' must have the dtype F32.")
    shape, offsets = _counts(entry.get("shape")), _counts(entry.get("data_offsets"))
    if shape is None or offsets is None or len(offsets) != 2:
        raise CheckpointError(f"Tensor '{name}' must have a shape and two data_offsets, whole numbers from 0.")
    start, end = offsets
    if end < start or end > size:
        raise CheckpointError(f"Tensor '{name}' claims bytes {start}..{end} of {size}.")
    elements = 1
    for dimension in shape:
        elements *= dimension
    if 4 * elements != end - start:
        raise CheckpointError(f"Tensor '{name}' claims {end - start} bytes; its shape {shape} takes {4 * elements}.")
    return start, end, name, tuple(shape)


def _counts(values: Any) -> Optional[List[int]]:
    """A list of at most 8 whole numbers from 0; None for anything else."""
    if not isinstance(values, list) or len(values) > 8 or not all(type(v) is int and 0 <= v < 1 << 63 for v in values):
        return None
    return values


def _floats(data: memoryview) -> "array[float]":
    values = array("f")
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _parse(text: str, what: str) -> Dict[str, Any]:
    def once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a key is given twice")
        return result

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        document = json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"The {what} is malformed: {error or 'too deep'}.") from None
    if not isinstance(document, dict):
        raise CheckpointError(f"The {what} must be a JSON object.")
    return document
