"""Makes tests/fixtures/decoder: what PyTorch computes with decoders of Dynamic Focal Attention.

    python -m venv venv && venv/bin/pip install -r benches/reference/requirements.txt
    venv/bin/python benches/reference/make_decoder_fixtures.py

Weights are by formula (`weight_values`), so that decoders of true size need no large files: the
tests compute the same. `little`, all that is special about sam-path in narrow, is a file too.
NAME.seen.safetensors holds `tokens`, `bias`, of each biased layer N `logits_N` (without the bias)
and `weights_N`, the `masks` (logits), `iou`, the masks `tile` up-sampled to TILE_PX, and
`bias_gradient`, that of mean(tile²) + mean(iou²).
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import decoder as twin

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "decoder"
LITTLE = twin.SAM_PATH | dict(
    name="little", encoder_width=24, width=32, cross_width=16, mlp_width=256
)
# Shape, classes, tiles, grid, side of the up-sampled masks: a multiple and none.
TRIALS = [(LITTLE, 3, 2, 5, 37), (twin.TINY, 7, 1, 4, 32), (twin.SAM_PATH, 2, 1, 4, 64)]


def weight_values(name, shape):
    """Uniform numbers from a hash of name and index, exact in f16: 256 steps times a power of two.

    Linear weights have about a deviation of 1/√in; norms lie around 1; nothing is left at zero.
    """
    seed = 0xCBF29CE484222325
    for byte in name.encode():  # FNV-1a
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(math.prod(shape), dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)  # SplitMix64
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    byte = ((z ^ (z >> np.uint64(31))) >> np.uint64(56)).astype(np.float32)
    uniform = (byte - 127.5) / 128.0
    if name == "class_tokens":
        values = 2.0 * uniform
    elif len(shape) > 1:
        values = uniform * 2.0 ** -math.floor(math.log2(shape[1] / 3.0) / 2.0 + 0.5)
    elif "norm" in name and name.endswith("weight"):
        values = 1.0 + 0.25 * uniform
    else:
        values = 0.25 * uniform
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).reshape(shape)


def card(classes):
    names = [f"class {n}" for n in range(classes)]
    labels = [dict(name=name, code=n, colour=[n, 0, 0]) for n, name in enumerate(names)]
    zeros = dict(prior=0.0, learned=0.0, offset=0.0)
    return dict(
        classes=labels, bias=[dict(zeros, **{"class": name}) for name in names],
        encoder_sha256="0" * 64, tile_px=64, mpp=[0.25, 2.0], program="make_decoder_fixtures.py",
    )


def built(c, classes, grid):
    decoder = twin.Decoder(c, classes, grid).eval()
    shapes = {name: list(tensor.shape) for name, tensor in twin.to_parfocal(decoder).items()}
    tensors = {name: weight_values(name, shape) for name, shape in shapes.items()}
    with torch.no_grad():
        twin.load_parfocal(decoder, tensors)
    for name, tensor in twin.to_parfocal(decoder).items():
        assert torch.equal(tensor, tensors[name]), name
    return decoder, tensors


def in_order(path):
    """Puts the notes in a file's header in order: safetensors writes them in any."""
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode().ljust(length)
    assert len(text) == length
    path.write_bytes(whole[:8] + text + whole[8 + length :])


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(1)
    for c, classes, batch, grid, tile_px in TRIALS:
        decoder, tensors = built(c, classes, grid)
        shape = [batch, grid * grid, c["encoder_width"]]
        tokens = torch.randn(shape, generator=generator).half()
        bias = torch.linspace(-1.0, 1.5, classes).requires_grad_()
        masks, iou, layers = decoder.traced(*decoder.start(tokens.float()), bias)
        tile = twin.to_tile(masks, tile_px)
        (tile.square().mean() + iou.square().mean()).backward()
        seen = dict(tokens=tokens, bias=bias, masks=masks, iou=iou, tile=tile)
        seen["bias_gradient"] = bias.grad
        for n, (logits, weights) in enumerate(layers):
            seen |= {f"logits_{n}": logits, f"weights_{n}": weights}
        name = c["name"]
        seen = {key: value.detach().contiguous() for key, value in seen.items()}
        save_file(seen, FOLDER / f"{name}.seen.safetensors")
        for key, value in seen.items():
            print(f"{name:9}{key:14}{list(value.shape)!s:18} rms {value.float().square().mean().sqrt():.3f}")
        if name == "little":
            said = dict(
                format="parfocal.decoder", version="1",
                config=json.dumps(c), card=json.dumps(card(classes)),
            )
            halves = {key: value.half() for key, value in tensors.items()}
            save_file(halves, FOLDER / f"{name}.safetensors", metadata=said)
            in_order(FOLDER / f"{name}.safetensors")


if __name__ == "__main__":
    main()
