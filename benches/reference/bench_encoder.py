"""Times the `tiny` encoder in PyTorch and ONNX Runtime, and ours beside them, in one run.

    venv/bin/pip install -r benches/reference/requirements.txt
    venv/bin/python benches/reference/bench_encoder.py [--ours COMMAND]

Same network (width 192, depth 6, 3 heads, MLP 768 with ReLU, patch 16, tiles of 128 px), same batch, f32, two
threads. Training is forward and backward of the mean square of all embeddings, no optimizer.
COMMAND is ours, `parfocal weights speed --device cpu`: it prints a JSON object with `inference_ms_per_tile` and `training_ms_per_tile`.
The rounds take turns, so that a machine that is busy for a while is busy for all of them; what is
printed are medians over rounds, with the fastest and the slowest beside them.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from timm.models.vision_transformer import VisionTransformer


def tiny():
    return VisionTransformer(
        img_size=128, patch_size=16, embed_dim=192, depth=6, num_heads=3, mlp_ratio=4,
        num_classes=0, no_embed_class=True, act_layer=torch.nn.ReLU,
    )


def median_ms(work, repeats):
    work()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)


class Torch:
    def __init__(self, batch):
        self.model, self.tiles = tiny(), torch.rand(batch, 3, 128, 128)

    def infer(self):
        with torch.inference_mode():
            self.model.forward_features(self.tiles)

    def train(self):
        self.model.zero_grad(set_to_none=True)
        x = self.model.forward_features(self.tiles)
        (x[:, 0].square().mean() + x[:, 1:].square().mean()).backward()


class Onnx:
    def __init__(self, batch, threads):
        model = tiny().eval()
        model.forward = model.forward_features
        tiles = torch.rand(batch, 3, 128, 128)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "tiny.onnx")
            torch.onnx.export(model, (tiles,), path, dynamo=True, verbose=False)
            self.session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        self.feed = {self.session.get_inputs()[0].name: tiles.numpy().astype(np.float32)}

    def infer(self):
        self.session.run(None, self.feed)


def ours(command, threads):
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    run = subprocess.run(
        shlex.split(command), env=environment, check=True, capture_output=True, text=True
    )
    return json.loads(run.stdout)


def summary(times):
    return {
        "median": round(statistics.median(times), 2),
        "fastest": round(min(times), 2),
        "slowest": round(max(times), 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", help="command that times our encoder, batch and all")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="in each round")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    pytorch, onnx = Torch(args.batch), Onnx(args.batch, args.threads)
    works = {
        "pytorch_inference": pytorch.infer,
        "pytorch_training": pytorch.train,
        "onnxruntime_inference": onnx.infer,
    }
    times, load = {}, []
    for _ in range(args.rounds):
        load.append(round(os.getloadavg()[0], 2))
        for name, work in works.items():
            per_tile = median_ms(work, args.repeats) / args.batch
            times.setdefault(name, []).append(per_tile)
        if args.ours:
            seen = ours(args.ours, args.threads)
            times.setdefault("ours_inference", []).append(seen["inference_ms_per_tile"])
            times.setdefault("ours_training", []).append(seen["training_ms_per_tile"])
    report = {
        "unit": "ms per tile",
        "batch": args.batch,
        "threads": args.threads,
        "rounds": args.rounds,
        "load_average_before_each_round": load,
        "versions": {
            "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
        "times": {name: summary(values) for name, values in times.items()},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
