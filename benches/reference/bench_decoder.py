"""Times encoder and decoder in PyTorch and ONNX Runtime, and ours beside them, in one run.

    venv/bin/pip install -r benches/reference/requirements.txt
    venv/bin/python benches/reference/bench_decoder.py --ours parfocal [--classes 7 5] [--slides 3]

The `tiny` encoder on tiles of 128 px, `decoder.py` on it, one batch, f32, two threads. ("Encode and
decode" ends at the mask logits, four to a token's side; "decode" begins where the bias first comes
in; "to tile" brings the logits to the tile's pixels.) The rounds take turns in an order that
changes, so that a machine that is busy for a while is busy for all; a ratio is taken within its
round. Prints a Markdown table of medians over rounds, with the lowest and the highest and, after a
comma, the ratio of each program's fastest round, which other load disturbs least; and JSON. With
`--slides`, whole slides after that, as `bench_segment.py` does by itself.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
from pathlib import Path

import bench_segment
import onnxruntime
import torch
from torch import nn

import decoder as twin
from bench_encoder import median_ms, tiny

PARTS = ["encode and decode", "decode", "to tile"]
OURS = {
    "encode and decode": ["encoder", "start", "decode"], "decode": ["decode"], "to tile": ["to_tile"]
}
SIDE = 128


class Decode(nn.Module):
    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, x, q, bias):
        return self.decoder.decode(x, q, bias)


class Whole(Decode):
    """From tiles on, normalised as the encoder wants them."""

    def __init__(self, encoder, decoder):
        super().__init__(decoder)
        self.encoder = encoder

    def forward(self, tiles, bias):
        tokens = self.encoder.forward_features(tiles)[:, 1:]
        return super().forward(*self.decoder.start(tokens), bias)


class ToTile(nn.Module):
    def forward(self, masks):
        return twin.to_tile(masks, SIDE)


def networks(batch, classes):
    """Each part as a module and what it takes."""
    encoder, decoder = tiny().eval(), twin.Decoder(twin.TINY, classes, SIDE // 16).eval()
    tiles, bias = torch.rand(batch, 3, SIDE, SIDE), torch.zeros(classes)
    with torch.no_grad():
        x, q = decoder.start(encoder.forward_features(tiles)[:, 1:])
        masks = decoder.decode(x, q, bias)[0]
    modules = [Whole(encoder, decoder), Decode(decoder), ToTile()]
    takes = [(tiles, bias), (x.contiguous(), q.contiguous(), bias), (masks,)]
    return {part: (module.eval(), args) for part, module, args in zip(PARTS, modules, takes)}


def in_torch(module, args):
    def run():
        with torch.inference_mode():
            module(*args)

    return run


def in_onnx(module, args, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "part.onnx")
        torch.onnx.export(module, args, path, dynamo=True, verbose=False)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {given.name: value.numpy() for given, value in zip(session.get_inputs(), args)}
    with torch.no_grad():
        theirs = module(*args)
    theirs = theirs if torch.is_tensor(theirs) else theirs[0]
    apart = (torch.from_numpy(session.run(None, feed)[0]) - theirs).abs().max().item()
    assert apart < 1e-3, apart
    return lambda: session.run(None, feed)


def ours(program, threads, batch, classes, repeats):
    """Milliseconds a tile of each part."""
    command = [program, "weights", "speed", "--decoder", "tiny", "--device", "cpu"]
    command += ["--tile", str(SIDE), "--batch", str(batch), "--classes", str(classes)]
    command += ["--repeats", str(repeats)]
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    seen = json.loads(run.stdout)
    return {
        part: sum(seen[f"{name}_ms_per_tile"] for name in names) for part, names in OURS.items()
    }


def middle(values):
    """Median (lowest–highest)."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def measure(args, classes):
    """Milliseconds a tile by (program, part), one a round."""
    nets = networks(args.batch, classes)
    works = {}
    for part, (module, given) in nets.items():
        works["PyTorch", part] = in_torch(module, given)
        works["ONNX Runtime", part] = in_onnx(module, given, args.threads)
        if args.compile:
            works["torch.compile", part] = in_torch(torch.compile(module), given)
    times = {}
    for number in range(args.rounds):
        load = os.getloadavg()[0]
        turns = [*works, *([("Parfocal", None)] if args.ours else [])]
        random.Random(number).shuffle(turns)
        for program, part in turns:
            if program == "Parfocal":
                seen = ours(args.ours, args.threads, args.batch, classes, args.repeats)
                for part, ms in seen.items():
                    times.setdefault((program, part), []).append(ms)
            else:
                ms = median_ms(works[program, part], args.repeats) / args.batch
                times.setdefault((program, part), []).append(ms)
        times.setdefault(("load", ""), []).append(load)
    return times


def table(times, classes):
    programs = list(dict.fromkeys(program for program, _ in times if program != "load"))
    programs.sort(key=lambda program: program != "Parfocal")
    others = [program for program in programs if program != "Parfocal"]
    has_ours = "Parfocal" in programs
    heads = [f"{program}, tiles/s" for program in programs]
    heads += [f"pace of {other}" for other in others if has_ours]
    print(f"\n| K = {classes} | " + " | ".join(heads) + " |")
    print("|---" * (1 + len(heads)) + "|")
    for part in PARTS:
        cells = [f"{1e3 / statistics.median(times[program, part]):.0f}" for program in programs]
        for other in others if has_ours else []:
            pairs = zip(times[other, part], times["Parfocal", part])
            best = min(times[other, part]) / min(times["Parfocal", part])
            cells.append(middle([theirs / own for theirs, own in pairs]) + f", {best:.2f}")
        print(f"| {part} | " + " | ".join(cells) + " |")
    if has_ours:
        whole, decode = times["Parfocal", PARTS[0]], times["Parfocal", PARTS[1]]
        shares = [100 * part / all for part, all in zip(decode, whole)]
        print(f"\nShare of decode in encode and decode: {middle(shares)} %.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", help="our program, `parfocal`")
    parser.add_argument("--classes", type=int, nargs="+", default=[7, 5])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--repeats", type=int, default=7, help="in each round")
    parser.add_argument("--slides", type=int, default=0, help="rounds of `segment` over whole slides")
    parser.add_argument("--compile", action="store_true", help="time torch.compile too (needs a C++ compiler)")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    report = dict(
        batch=args.batch, threads=args.threads, torch=torch.__version__,
        onnxruntime=onnxruntime.__version__, ms_per_tile={},
    )
    for classes in args.classes:
        times = measure(args, classes)
        table(times, classes)
        rounded = {f"{a} {b}".strip(): [round(ms, 3) for ms in all] for (a, b), all in times.items()}
        report["ms_per_tile"][f"K = {classes}"] = rounded
    if args.slides and args.ours:
        with tempfile.TemporaryDirectory() as folder:
            report["segment"] = bench_segment.measure(args.ours, args.slides, folder)
        bench_segment.table(report["segment"])
    print("\n" + json.dumps(report))


if __name__ == "__main__":
    main()
