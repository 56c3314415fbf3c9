"""Makes tests/fixtures/encoder: checkpoints of small randomly initialised models of timm's, and
what timm and PyTorch compute with them.

    python -m venv venv && venv/bin/pip install -r benches/reference/requirements.txt
    venv/bin/python benches/reference/make_encoder_fixtures.py

Each NAME.safetensors is a checkpoint; NAME.seen.safetensors holds, for each tile side S, the tiles
`tiles_S` (sRGB 0-1, before normalisation), and the embeddings `cls_S` and `tokens_S`.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from timm.layers import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "encoder"
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def vit(**options):
    """A ViT whose positions are resampled where a tile has another grid."""
    return VisionTransformer(num_classes=0, dynamic_img_size=True, depth=2, **options).eval()


def randomise(tensors, generator):
    """Values that make every parameter count: nothing is left at zero or one."""
    for name, tensor in tensors.items():
        fan_in = tensor[0].numel() if tensor.dim() > 1 else 1
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("gamma"):
            tensors[name] = 0.6 + 0.2 * noise
        elif "norm" in name and name.endswith("weight"):
            tensors[name] = 1.0 + 0.2 * noise
        elif tensor.dim() > 1 and name.endswith("weight"):
            tensors[name] = noise / fan_in**0.5
        else:
            tensors[name] = 0.3 * noise
    return tensors


def in_dinov2_names(model, generator):
    """A checkpoint as DINOv2's own repository writes it, of the shape of `model`."""
    width = model.embed_dim
    tensors = {}
    for name, tensor in model.state_dict().items():
        name = name.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3")
        tensors[name.replace("reg_token", "register_tokens")] = tensor
    places = model.patch_embed.num_patches + 1
    tensors["pos_embed"] = torch.zeros(1, places, width)
    tensors["mask_token"] = torch.zeros(1, width)
    return randomise(tensors, generator)


def write(name, model, tensors, dtype, sides, generator):
    """Rounds the checkpoint to `dtype`, runs the model with it, writes both files."""
    tensors = {key: value.to(dtype).contiguous() for key, value in tensors.items()}
    widened = {key: value.float() for key, value in tensors.items()}
    model.load_state_dict(checkpoint_filter_fn(widened, model), strict=True)
    seen = {}
    for batch, side in sides:
        # Rounded to f16, so that the file is small and both sides see the same tiles.
        tiles = torch.rand(batch, 3, side, side, generator=generator).half()
        with torch.no_grad():
            x = model.forward_features((tiles.float() - MEAN) / STD)
        seen[f"tiles_{side}"] = tiles
        seen[f"cls_{side}"] = x[:, 0].contiguous()
        seen[f"tokens_{side}"] = x[:, model.num_prefix_tokens :].contiguous()
    save_file(tensors, FOLDER / f"{name}.safetensors")
    save_file(seen, FOLDER / f"{name}.seen.safetensors")


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(1)

    # timm's plain ViT: the class token has a position; its own grid, a finer and a coarser one.
    plain = vit(img_size=32, patch_size=8, embed_dim=64, num_heads=1, mlp_ratio=2)
    weights = randomise(plain.state_dict(), generator)
    write("plain", plain, weights, torch.float16, [(2, 32), (1, 48), (1, 24)], generator)

    # DINOv2 with registers as timm holds it.
    registers = vit(
        img_size=32, patch_size=8, embed_dim=32, num_heads=2, mlp_ratio=4,
        init_values=1e-5, reg_tokens=4, no_embed_class=True,
    )
    weights = randomise(registers.state_dict(), generator)
    write("registers", registers, weights, torch.float32, [(2, 32), (1, 56)], generator)

    # The large DINOv2 models' SwiGLU, in DINOv2's own names, which timm itself converts.
    swiglu = vit(
        img_size=42, patch_size=14, embed_dim=48, num_heads=3, mlp_ratio=8 / 3,
        init_values=1e-5, reg_tokens=2, no_embed_class=True,
        mlp_layer=SwiGLUPacked, act_layer=torch.nn.SiLU,
    )
    weights = in_dinov2_names(swiglu, generator)
    write("swiglu", swiglu, weights, torch.bfloat16, [(2, 42), (1, 70)], generator)


if __name__ == "__main__":
    main()
