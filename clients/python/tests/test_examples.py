"""The example and the notebook run as they stand, on a small synthetic data set in MNIST's format."""
import contextlib
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch

from examples.mnist import read_idx, training_images
from tests.test_agreement import GOLDENS

PACKAGE = Path(__file__).resolve().parents[1]


def write_idx(path, values):
    header = bytes([0, 0, 8, values.dim()]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    data = header + bytes(values.flatten().tolist())
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


class ExampleTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = Path(cls.folder.name)
        torch.manual_seed(0)
        labels = torch.randint(10, (300,), dtype=torch.uint8)
        images = torch.randint(60, (300, 28, 28), dtype=torch.uint8)
        for image, label in zip(images, labels):
            image[2 * label : 2 * label + 3] += 190
        write_idx(cls.data / "train-images-idx3-ubyte.gz", images)
        write_idx(cls.data / "train-labels-idx1-ubyte", labels)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_images_are_read(self):
        images, labels = training_images(self.data)
        self.assertEqual((images.shape, labels.shape, images.max().item() <= 1), ((300, 784), (300,), True))
        (self.data / "short").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 9, 1]))
        with self.assertRaisesRegex(ValueError, "promises 9"):
            read_idx(self.data, "short", 1)
        with self.assertRaisesRegex(FileNotFoundError, "data fetch mnist"):
            read_idx(self.data, "nothing", 1)

    def test_the_script_prints_losses_and_step_times(self):
        result = subprocess.run(
            [sys.executable, str(PACKAGE / "examples" / "train_mnist.py"), str(GOLDENS / "learnable-adam.safetensors"),
             "--data", str(self.data), "--steps", "20", "--instances", "2"],
            capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(sum("loss after 20 steps" in line for line in lines), 2, result.stdout)
        self.assertEqual([line.split("  ")[0] for line in lines if line.endswith("ms a step")],
                         ["learned", "learned, one by one", "AdamW(foreach=True)", "AdamW, plain loop"])

    def test_the_notebook_runs(self):
        cells = json.loads((PACKAGE / "examples" / "train_mnist.ipynb").read_text())["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        settings = {"METAOPT_CHECKPOINT": str(GOLDENS / "learnable-adam.safetensors"), "METAOPT_MNIST": str(self.data),
                    "METAOPT_PYTHON": str(PACKAGE), "METAOPT_STEPS": "60", "METAOPT_INSTANCES": "2"}
        names, printed = {"__name__": "__main__"}, io.StringIO()
        with mock.patch.dict(os.environ, settings), contextlib.redirect_stdout(printed):
            for number, cell in enumerate(code):
                exec(compile(cell, f"cell {number}", "exec"), names)
        self.assertIn("300 images of 784 pixels", printed.getvalue())
        for losses in names["results"].values():
            self.assertTrue(all(run[-1] < run[0] for run in losses))


if __name__ == "__main__":
    unittest.main()
