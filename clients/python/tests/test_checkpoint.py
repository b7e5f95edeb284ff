"""The reader of checkpoints refuses what is not one, with a reason and before it allocates."""
import json
import struct
import unittest

from metaopt import Checkpoint, CheckpointError
from metaopt.checkpoint import read_safetensors
from pathlib import Path

GOLDENS = Path(__file__).parent / "goldens"


def file(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


class CheckpointTests(unittest.TestCase):
    def test_a_checkpoint_is_read(self):
        checkpoint = Checkpoint.load(GOLDENS / "lstm.safetensors")
        self.assertEqual(checkpoint.rule, "lstm")
        self.assertEqual(checkpoint.options["layers"], [6, 5])
        self.assertEqual(checkpoint.tensors["lstm.0.weight"].shape, (24, 8))
        self.assertEqual(len(checkpoint.tensors["lstm.0.weight"].data), 192)

    def test_hostile_files_are_refused(self):
        deep = b'{"a":' * 100_000
        files = {
            "empty": b"",
            "header of 2^63 bytes": file({}, length=1 << 63),
            "header past the end": file({}, length=100),
            "no JSON": file(b"{"),
            "not UTF-8": file(b"\xff\xfe"),
            "a list": file(b"[]"),
            "deep": file(deep[: 1 << 19]),
            "a key twice": file(b'{"a":%b,"a":%b}' % (2 * (json.dumps(tensor([0], 0, 0)).encode(),))),
            "shape overflows": file({"a": tensor([1 << 62, 4], 0, 16)}, bytes(16)),
            "negative": file({"a": tensor([-1], 0, 4)}, bytes(4)),
            "true for 1": file({"a": tensor([True], 0, 4)}, bytes(4)),
            "fraction": file({"a": tensor([1.0], 0, 4)}, bytes(4)),
            "another type": file({"a": tensor([1], 0, 4, "F64")}, bytes(4)),
            "no entry": file({"a": 1}),
            "overlap": file({"a": tensor([2], 0, 8), "b": tensor([1], 4, 8)}, bytes(8)),
            "hole": file({"a": tensor([1], 4, 8)}, bytes(8)),
            "more bytes": file({"a": tensor([1], 0, 4)}, bytes(8)),
            "metadata": file({"__metadata__": {"a": 1}}),
        }
        for name, data in files.items():
            with self.subTest(name), self.assertRaises(CheckpointError):
                read_safetensors(data)

    def test_another_format_is_refused(self):
        ours = {"format": "metaopt.learned-optimizer", "version": "1", "spec": "{}"}
        for metadata in ({}, {**ours, "version": "2"}, ours):
            with self.subTest(metadata), self.assertRaises(CheckpointError):
                Checkpoint.load(file({"__metadata__": metadata}))


if __name__ == "__main__":
    unittest.main()
