"""A walk through the whole package against a running server, which the service's tests start (PythonPackageTests.cs).

Run: python3 against_a_server.py FOLDER, with METAOPT_HOME naming a data folder in which somebody is logged in. The last line
says "done".
"""
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from metaopt import ApiError, Checkpoint, Client, RunFailed  # noqa: E402

TRAINING = {
    "seed": 1, "task": {"type": "quadratic", "dimensions": 4}, "optimizer": {"type": "lstm", "layers": [3]},
    "training": {"horizon": 20, "unroll": 10, "metaBatch": 8, "metaEpochs": 3, "validation": {"every": 2, "instances": 4}},
}


def main(folder: Path) -> None:
    client = Client()
    print("user", client.me()["name"])

    # A wrong specification is a problem document with a pointer.
    try:
        client.submit({"kind": "meta-training", "spec": {**TRAINING, "training": {"horizon": -1}}})
        raise SystemExit("A wrong specification was accepted.")
    except ApiError as error:
        assert error.status == 422 and error.code == "invalid-field", error
        assert error.errors[0][0] == "/spec/training/horizon", error.errors

    assert client.validate({"kind": "meta-training", "spec": TRAINING})["valid"] is True
    run = client.submit({"kind": "meta-training", "name": "from Python", "tags": ["python"], "spec": TRAINING}, key="walk")
    again = client.submit({"kind": "meta-training", "name": "from Python", "tags": ["python"], "spec": TRAINING}, key="walk")
    assert again["id"] == run["id"]
    seen = []
    ended = client.wait(run["id"][-8:], progress=lambda document: seen.append(document["state"]), poll=0.1)
    assert ended["state"] == "succeeded" and seen[-1] == "succeeded", seen

    # Lists go through all pages.
    for seed in range(2, 5):
        client.submit({"kind": "meta-training", "tags": ["more"], "pool": "nobody", "spec": {**TRAINING, "seed": seed}})
    pages = list(client._pages("runs", {"tag": "more"}, 1))
    assert len(pages) == 3 and [r["id"] for r in pages] == [r["id"] for r in client.runs(limit=None, tag="more")], pages
    assert [r["id"] for r in client.runs(tag="python")] == [run["id"]]
    assert client.cancel(pages[0]["id"])["id"] == pages[0]["id"]
    try:
        client.wait(pages[0]["id"], progress=False, poll=0.1)
        raise SystemExit("A cancelled run succeeded.")
    except RunFailed as failed:
        assert failed.run["state"] == "cancelled"

    assert "meta-loss" in client.series_names(run["id"])
    series = client.series(run["id"])
    assert len(series) == 6 and list(series["step"]) == [1, 2, 3, 4, 5, 6], series
    compared = client.compare([run["id"]])
    assert compared["series"] == "meta-loss" and len(compared["runs"][0]["points"]) == 6, compared
    try:
        client.run("00000000-0000-0000-0000-000000000000")
        raise SystemExit("A run that does not exist was found.")
    except ApiError as error:
        assert error.status == 404, error

    path = client.download(run["id"], folder / "final.safetensors")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == client.checkpoints(run["id"])[-1]["sha256"]
    checkpoint = Checkpoint.load(path)
    assert checkpoint.rule == "lstm" and checkpoint.options["layers"] == [3], checkpoint
    use(path)
    print("done")


def use(path: Path) -> None:
    """Takes a step with what was learned, where PyTorch is installed."""
    try:
        import torch
    except ImportError:
        return
    from metaopt import LearnedOptimizer

    theta = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = LearnedOptimizer([theta], path)
    for _ in range(3):
        optimizer.zero_grad()
        theta.square().sum().backward()
        optimizer.step()
    assert torch.isfinite(theta).all() and not torch.equal(theta, torch.tensor([1.0, -2.0]))
    print("torch", torch.__version__)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
