"""serve.py FOLDER: reads the work from FOLDER (index.json, raw float32 files) and answers one JSON line with another.

  {"do": "result", "variant": V}               {"result": [[...], ...]}   what must agree before anything is timed
  {"do": "time", "variant": V, "seconds": S}   {"seconds": ...}           mean of as many runs as S allows, at least one
  {"do": "peak"}                               {"bytes": ...}             VmHWM

"threads" and "blasThreads" may be in the first two: PyTorch's own operations and the matrix products use as many (else one).
METAOPT_PEER_DEVICE says where PyTorch computes (cpu).
"""
import ctypes
import json
import os
import sys
import time

import numpy
import torch

from work import InnerStep, MetaStep


DEVICE = os.environ.get("METAOPT_PEER_DEVICE", "cpu")


def synchronize():
    """Until a GPU has done what it was asked to."""
    if DEVICE != "cpu":
        torch.cuda.synchronize()


def openblas():
    """The library that PyTorch multiplies with, if it is OpenBLAS: it does not follow torch.set_num_threads."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            if "openblas" in line:
                return ctypes.CDLL(line.split()[-1])
    return None


def load(folder):
    with open(f"{folder}/index.json") as file:
        settings = json.load(file)
    data = {
        name: torch.from_numpy(numpy.fromfile(f"{folder}/{name}.f32", dtype=numpy.float32).reshape(shape)).to(DEVICE)
        for name, shape in settings["tensors"].items()
    }
    return settings, data


def measure(work, seconds):
    synchronize()
    runs, start = 0, time.perf_counter()
    while runs == 0 or time.perf_counter() - start < seconds:
        work.run()
        synchronize()
        runs += 1
    return (time.perf_counter() - start) / runs


def peak():
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def main():
    if DEVICE != "cpu":
        torch.set_default_device(DEVICE)
    settings, data = load(sys.argv[1])
    kind = InnerStep if settings["work"] == "inner-step" else MetaStep
    blas, works = openblas(), {}
    print(json.dumps({
        "torch": torch.__version__,
        "blas": "OpenBLAS" if blas else "not OpenBLAS",
        "compiles": hasattr(torch, "compile"),
        "variants": ["cell", "fused", "decoupled-loop", "decoupled-lstm"],
    }), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "peak":
            print(json.dumps({"bytes": peak()}), flush=True)
            continue
        variant = request["variant"]
        if variant not in works:
            works[variant] = kind(data, settings, variant)
        torch.set_num_threads(request.get("threads", 1))
        if blas:
            blas.openblas_set_num_threads(request.get("blasThreads", 1))
        if request["do"] == "result":
            answer = {"result": [t.detach().flatten().tolist() for t in works[variant].result()]}
        else:
            answer = {"seconds": measure(works[variant], request["seconds"])}
        print(json.dumps(answer), flush=True)


main()
