"""The decoder of Dynamic Focal Attention in PyTorch, written from its specification with PyTorch's
own layers (convolutions, `interpolate`): a twin to compare with and to time.

Attributes are named as the tensors of Parfocal's files; `load_parfocal` and `to_parfocal` turn the
convolutions' kernels, which lie there as matrices.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

EPSILON = 1e-6
TINY = dict(
    name="tiny", encoder_width=192, width=128, heads=4, cross_width=64, mlp_width=256, depth=2,
    activation="relu",
)
SAM_PATH = dict(
    name="sam-path", encoder_width=384, width=256, heads=8, cross_width=128, mlp_width=2048,
    depth=2, activation="gelu",
)
ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}


def norm(width):
    return nn.LayerNorm(width, eps=EPSILON)


def norm_2d(layer, x):
    """A LayerNorm over the channels of [B, C, H, W]."""
    return layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Attention(nn.Module):
    """Answers what it fetches, its logits without the bias, and its weights."""

    def __init__(self, width, inner, heads):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, inner)
        self.k_proj = nn.Linear(width, inner)
        self.v_proj = nn.Linear(width, inner)
        self.out_proj = nn.Linear(inner, width)

    def forward(self, queries, keys, values, bias=0.0):
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in [(self.q_proj, queries), (self.k_proj, keys), (self.v_proj, values)]
        )
        logits = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        weights = (logits + bias).softmax(dim=-1)
        fetched = (weights @ v).transpose(1, 2).flatten(2)
        return self.out_proj(fetched), logits, weights


class Block(nn.Module):
    """SAM's two-way block, but for the first block's self-attention, which keeps input and places."""

    def __init__(self, c):
        super().__init__()
        width, cross, heads = c["width"], c["cross_width"], c["heads"]
        self.self_attn = Attention(width, width, heads)
        self.norm1 = norm(width)
        self.class_to_image = Attention(width, cross, heads)
        self.norm2 = norm(width)
        self.fc1 = nn.Linear(width, c["mlp_width"])
        self.fc2 = nn.Linear(c["mlp_width"], width)
        self.norm3 = norm(width)
        self.image_to_class = Attention(width, cross, heads)
        self.norm4 = norm(width)

    def classes(self, q, q0, x, pe):
        q = self.norm1(q + self.self_attn(q + q0, q + q0, q)[0])
        q = self.norm2(q + self.class_to_image(q + q0, x + pe, x)[0])
        return self.norm3(q + self.fc2(F.relu(self.fc1(q))))

    def image(self, q, q0, x, pe, bias):
        fetched, logits, weights = self.image_to_class(x + pe, q + q0, q, bias)
        return self.norm4(x + fetched), logits, weights


class MaskHeads(nn.Module):
    """Three linear layers for each class: weight [K, in, out], bias [K out]."""

    def __init__(self, classes, width, out):
        super().__init__()
        for name, d_out in [("fc1", width), ("fc2", width), ("fc3", out)]:
            layer = nn.Module()
            layer.weight = nn.Parameter(torch.randn(classes, width, d_out) / width**0.5)
            layer.bias = nn.Parameter(torch.zeros(classes * d_out))
            self.add_module(name, layer)

    def forward(self, q):
        for n, layer in enumerate([self.fc1, self.fc2, self.fc3]):
            bias = layer.bias.view(layer.weight.shape[0], -1)
            q = torch.einsum("bki,kio->bko", q, layer.weight) + bias
            q = q if n == 2 else F.relu(q)
        return q


class Upscale(nn.Module):
    """Two transposed convolutions of 2 × 2, stride 2; their bias is of each of the four places."""

    def __init__(self, c):
        super().__init__()
        first, second = c["width"] // 4, c["width"] // 8
        self.first = nn.ConvTranspose2d(c["width"], first, 2, stride=2, bias=False)
        self.first_bias = nn.Parameter(torch.zeros(first, 2, 2))
        self.norm = norm(first)
        self.second = nn.ConvTranspose2d(first, second, 2, stride=2, bias=False)
        self.second_bias = nn.Parameter(torch.zeros(second, 2, 2))
        self.active = ACTIVATIONS[c["activation"]]

    def forward(self, x):
        grid = x.shape[-1]
        x = self.first(x) + self.first_bias.repeat(1, grid, grid)
        x = self.active(norm_2d(self.norm, x))
        return self.active(self.second(x) + self.second_bias.repeat(1, 2 * grid, 2 * grid))


class Neck(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.narrow = nn.Conv2d(c["encoder_width"], c["width"], 1)
        self.norm1 = norm(c["width"])
        self.around = nn.Conv2d(c["width"], c["width"], 3, padding=1)
        self.norm2 = norm(c["width"])

    def forward(self, x):
        return norm_2d(self.norm2, self.around(norm_2d(self.norm1, self.narrow(x))))


class IouHead(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, width), nn.Linear(width, 1)

    def forward(self, q):
        return self.fc2(F.relu(self.fc1(q))).sigmoid().squeeze(-1)


def places(grid, width):
    """sin and cos of the column, then of the row, from half a wave to four across: [1, g², D]."""
    count = width // 4
    waves = torch.logspace(math.log10(0.5), math.log10(4), count, dtype=torch.float64)
    at = (torch.arange(grid, dtype=torch.float64) + 0.5) / grid
    phase = 2 * math.pi * at[:, None] * waves
    along = torch.cat([phase.sin(), phase.cos()], 1)
    column = along[None].expand(grid, -1, -1)
    row = along[:, None].expand(-1, grid, -1)
    return torch.cat([column, row], 2).reshape(1, grid * grid, width).float()


class Decoder(nn.Module):
    def __init__(self, c, classes, grid):
        super().__init__()
        width = c["width"]
        self.grid = grid
        self.neck = Neck(c)
        self.class_tokens = nn.Parameter(torch.randn(classes, width))
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["depth"]))
        self.last_attn = Attention(width, c["cross_width"], c["heads"])
        self.last_norm = norm(width)
        self.upscale = Upscale(c)
        self.mask_heads = MaskHeads(classes, width, width // 8)
        self.iou_head = IouHead(width)
        self.register_buffer("pe", places(grid, width), persistent=False)

    def in_rows(self, tokens):
        return tokens.transpose(1, 2).unflatten(2, (self.grid, self.grid))

    def start(self, tokens):
        """What does not depend on the bias: image and class tokens, [B, g², D] and [B, K, D]."""
        x = self.neck(self.in_rows(tokens)).flatten(2).transpose(1, 2)
        q = self.class_tokens.expand(tokens.shape[0], -1, -1)
        return x, self.blocks[0].classes(q, self.class_tokens, x, self.pe)

    def traced(self, x, q, bias):
        """Mask logits, predicted IoU, and logits and weights of each biased layer."""
        q0, pe, layers = self.class_tokens, self.pe, []
        for n, block in enumerate(self.blocks):
            q = q if n == 0 else block.classes(q, q0, x, pe)
            x, logits, weights = block.image(q, q0, x, pe, bias)
            layers.append((logits, weights))
        q = self.last_norm(q + self.last_attn(q + q0, x + pe, x)[0])
        fine = self.upscale(self.in_rows(x))
        masks = (self.mask_heads(q) @ fine.flatten(2)).unflatten(2, fine.shape[2:])
        return masks, self.iou_head(q), layers

    def decode(self, x, q, bias):
        return self.traced(x, q, bias)[:2]


def to_tile(masks, side):
    return F.interpolate(masks, size=(side, side), mode="bilinear", align_corners=False)


def turned(name, shape, tensor, back=False):
    """A tensor of Parfocal's file as the twin has it (`shape`), or the other way."""
    if name == "neck.narrow.weight":
        return tensor.reshape(shape)
    if name == "neck.around.weight":  # [out, (row, column, in)] and [out, in, row, column]
        out, into = shape[:2]
        return tensor.permute(0, 2, 3, 1).reshape(out, -1) if back else (
            tensor.reshape(out, 3, 3, into).permute(0, 3, 1, 2)
        )
    if name in ("upscale.first.weight", "upscale.second.weight"):
        into, out = shape[:2]  # [(row, column, out), in] and [in, out, row, column]
        return tensor.permute(2, 3, 1, 0).reshape(4 * out, into) if back else (
            tensor.reshape(2, 2, out, into).permute(3, 2, 0, 1)
        )
    if name in ("upscale.first.bias", "upscale.second.bias"):
        out = shape[0]
        return tensor.permute(1, 2, 0).flatten() if back else (
            tensor.reshape(2, 2, out).permute(2, 0, 1)
        )
    return tensor


def in_file(name):
    """What Parfocal calls a tensor."""
    return name.replace("first_bias", "first.bias").replace("second_bias", "second.bias")


def to_parfocal(decoder):
    tensors = {}
    for name, tensor in decoder.state_dict().items():
        shape = list(tensor.shape)
        if in_file(name) == "neck.narrow.weight":
            shape = shape[:2]
        tensors[in_file(name)] = turned(in_file(name), shape, tensor, back=True).contiguous()
    return tensors


def load_parfocal(decoder, tensors):
    own = decoder.state_dict()
    assert {in_file(name) for name in own} == set(tensors)
    for name, tensor in own.items():
        given = tensors[in_file(name)].float()
        tensor.copy_(turned(in_file(name), list(tensor.shape), given))
