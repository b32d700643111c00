"""The benchmark's optimizer steps in PyTorch, on its first GPU: fused and foreach AdamW, and Muon where torch has it.

Run it by hand where torch is installed, then `npm run bench -- --torch torch.json` shows its rows beside the others':
    python3 bench/torch_peer.py > torch.json
"""

import json
import sys
import time

import torch


def gpt2_small():
    width = 768
    norm = [[width], [width]]

    def linear(inputs, outputs):
        return [[inputs, outputs], [outputs]]

    block = norm + linear(width, 3 * width) + linear(width, width) + norm + linear(width, 4 * width) + linear(4 * width, width)
    return [[50257, width], [1024, width]] + 12 * block + norm


ADAMW = {
    "adamw 1x64k": [[65536]],
    "adamw 1x1M": [[2**20]],
    "adamw 1x16.8M": [[2**24 + 1]],
    "adamw 64x16k": 64 * [[16384]],
    "adamw 200x1k": 200 * [[1024]],
    "adamw gpt2-small 124M": gpt2_small(),
}
MUON = {
    "muon 1x64k": [[256, 256]],
    "muon 256x1024": [[256, 1024]],
    "muon 1024x256": [[1024, 256]],
    "muon 250x300": [[250, 300]],
    "muon 64 of 64x64": 64 * [[64, 64]],
}
ROUNDS = 9


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def quartiles(step, device):
    """Milliseconds a step: the quartiles over rounds that last about 50 ms, each waited for once."""
    for _ in range(3):
        step()
    synchronize(device)
    began = time.perf_counter()
    step()
    synchronize(device)
    count = max(1, min(200, round(0.05 / max(1e-6, time.perf_counter() - began))))
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(count):
            step()
        synchronize(device)
        found.append(1000 * (time.perf_counter() - began) / count)
    found.sort()
    return [found[ROUNDS // 4], found[ROUNDS // 2], found[3 * ROUNDS // 4]]


def row(case, engine, shapes, make, device):
    params = [torch.full(shape, 0.02, device=device, requires_grad=True) for shape in shapes]
    for param in params:
        param.grad = torch.randn_like(param) * 0.01
    low, middle, high = quartiles(make(params).step, device)
    return {"suite": "update", "case": case, "engine": engine, "ms": middle, "quartiles": [low, high]}


def main():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    hypers = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-3, "weight_decay": 0.01}
    rows = []
    for case, shapes in ADAMW.items():
        for kind in ("fused", "foreach"):
            rows.append(row(case, f"torch {kind}", shapes, lambda ps, kind=kind: torch.optim.AdamW(ps, **hypers, **{kind: True}), device))
    if hasattr(torch.optim, "Muon"):
        for case, shapes in MUON.items():
            rows.append(row(case, "torch muon", shapes, lambda ps: torch.optim.Muon(ps), device))
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    json.dump({"format": "fallline-bench-torch/1", "device": name, "torch": torch.__version__, "rows": rows}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
