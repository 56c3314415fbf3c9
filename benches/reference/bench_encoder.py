"""Times the `tiny` encoder in PyTorch and ONNX Runtime, and ours beside them, in one run.

    venv/bin/pip install -r benches/reference/requirements.txt
    venv/bin/python benches/reference/bench_encoder.py [--ours COMMAND] [--json FILE]

Same network (width 192, depth 6, 3 heads, MLP 768 with ReLU, patch 16, tiles of 128 px), same batch, f32, two
threads. Three figures, in ms a tile:

- inference;
- encoder's step: forward, the mean square of all embeddings as the loss, backward, gradients clipped, AdamW;
- whole step: one of `train mad` by the settings of --training (assets/encoder-tiny.toml), which say the batch:
  the teacher's pass, targets, the student's pass, all losses, backward, clipping, AdamW, the teacher's move; without
  cutting tiles, which another thread does (mad_step.py).

COMMAND is ours, `parfocal weights speed --device cpu`; it is called as it is for the first two figures and with
`--training FILE` for the third. The rounds take turns, so that a machine that is busy for a while is busy for all
of them. Printed are the rounds and, over them, medians with the fastest and the slowest. A pace is the other's time
by ours in the same round: over 1 we are faster.
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
from mad_step import MadStep, optimizer, tiny

SETTINGS = Path(__file__).resolve().parents[2] / "assets" / "encoder-tiny.toml"

# Greatest norm of the gradient, as the program's trainings have it.
MOST_GRADIENT = 3.0


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
        self.trained = tiny()
        self.adam = optimizer(self.trained)

    def infer(self):
        with torch.inference_mode():
            self.model.forward_features(self.tiles)

    def train(self):
        self.adam.zero_grad(set_to_none=True)
        x = self.trained.forward_features(self.tiles)
        (x[:, 0].square().mean() + x[:, 1:].square().mean()).backward()
        torch.nn.utils.clip_grad_norm_(self.trained.parameters(), MOST_GRADIENT, foreach=True)
        self.adam.step()


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
    run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


def ours_in_a_round(args):
    """Our three figures; none without a command."""
    if not args.ours:
        return {}
    command = shlex.split(args.ours)
    plain = ours(command, args.threads)
    whole = ours([*command, "--training", args.training], args.threads)
    return {
        "inference": plain["inference_ms_per_tile"],
        "encoder's step": plain["training_ms_per_tile"],
        "whole step": whole["mad_step_ms_per_tile"],
    }


def summary(values):
    return {
        "median": round(statistics.median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
    }


def pace(rounds, figure, other):
    return [each[figure][other] / each[figure]["ours"] for each in rounds if "ours" in each[figure]]


def cells(values):
    """Of a table's row."""
    return "| " + " | ".join(values) + " |"


def tables(rounds, load):
    lines = []
    for figure in rounds[0]:
        names = list(rounds[0][figure])
        others = [name for name in names if name != "ours"] if "ours" in names else []
        head = [f"{figure}, ms a tile", "load before", *names, *(f"pace beside {name}" for name in others)]
        lines += ["", cells(head), "|" + "---|" * len(head)]
        for number, (each, busy) in enumerate(zip(rounds, load, strict=True), 1):
            times = [f"{each[figure][name]:.2f}" for name in names]
            paces = [f"{each[figure][other] / each[figure]['ours']:.2f}" for other in others]
            lines.append(cells([f"round {number}", f"{busy:.2f}", *times, *paces]))
        columns = [load, *([each[figure][name] for each in rounds] for name in names)]
        columns += [pace(rounds, figure, other) for other in others]
        spread = [
            f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})" for values in columns
        ]
        lines.append(cells(["median (least–most)", *spread]))
    return "\n".join(lines[1:])


def report(args, rounds, load, tiles_a_step):
    figures = {}
    for figure, names in rounds[0].items():
        figures[figure] = {name: summary([each[figure][name] for each in rounds]) for name in names}
        if "ours" in names:
            others = [name for name in names if name != "ours"]
            figures[figure] |= {f"pace beside {other}": summary(pace(rounds, figure, other)) for other in others}
    return {
        "unit": "ms per tile",
        "batch": args.batch,
        "batch_of_whole_step": tiles_a_step,
        "threads": args.threads,
        "rounds": rounds,
        "load_average_before_each_round": load,
        "versions": {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__},
        "figures": figures,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", help="command that times our encoder; it is to name the batch if that is not 32")
    parser.add_argument("--training", default=str(SETTINGS), help="settings of the whole step")
    parser.add_argument("--json", help="file for all numbers")
    parser.add_argument("--batch", type=int, default=32, help="of the first two figures")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="in each round")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    pytorch, onnx, mad = Torch(args.batch), Onnx(args.batch, args.threads), MadStep(args.training)
    works = [
        ("inference", "PyTorch", pytorch.infer, args.batch),
        ("inference", "ONNX Runtime", onnx.infer, args.batch),
        ("encoder's step", "PyTorch", pytorch.train, args.batch),
        ("whole step", "PyTorch", mad, mad.tiles),
    ]
    rounds, load = [], []
    for _ in range(args.rounds):
        load.append(round(os.getloadavg()[0], 2))
        found = {figure: {"ours": time_ms} for figure, time_ms in ours_in_a_round(args).items()}
        for figure, name, work, tiles in works:
            found.setdefault(figure, {})[name] = median_ms(work, args.repeats) / tiles
        rounds.append(found)
    print(f"{args.threads} threads; {args.batch} tiles at once, {mad.tiles} in a whole step; "
          f"PyTorch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}\n")
    print(tables(rounds, load))
    if args.json:
        text = json.dumps(report(args, rounds, load, mad.tiles), indent=2)
        Path(args.json).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
