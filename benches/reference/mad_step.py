"""A whole step of Magnification-Aware Distillation in PyTorch, by the settings of a training file.

What `src/learn/mad/trainer.rs` does, in the same order: the teacher's pass over all tiles of one view, running means
and queues of earlier rows, targets balanced by Sinkhorn, the student's pass over the other view, the losses that the
settings ask for, backward, clipping, AdamW, and the teacher's move. Tiles are noise and the queues are full from the
start, as in `parfocal weights speed --training FILE`. Only networks called `tiny` are known here.
"""

import math
import tomllib

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn.functional import cross_entropy, gelu, log_softmax, normalize

CHILDREN, GRID = 16, 4
CONTRAST_TEMPERATURE = 0.1

# The program's defaults (src/learn/mad/config.rs and network.rs, src/learn/sampling/config.rs).
DEFAULTS = {
    "head": {"hidden": 512, "bottleneck": 64, "prototypes": 256},
    "loss": {"global": 1.0, "context": 0.5, "tokens": 1.0, "koleo": 0.1, "contrast": 0.0},
    "student": {
        "learning_rate": [5e-4, 1e-5], "weight_decay": [0.04, 0.1], "most_gradient": 3.0, "temperature": 0.1,
    },
    "teacher": {
        "momentum": [0.99, 0.999], "temperature": [0.04, 0.07], "sinkhorn_iterations": 3, "queue_rows": 1024,
    },
    "watch": {"rows": 1024},
}
SAMPLING = {"tile_px": 128, "families": 32, "children_per_family": CHILDREN}


def tiny():
    return VisionTransformer(
        img_size=128, patch_size=16, embed_dim=192, depth=6, num_heads=3, mlp_ratio=4,
        num_classes=0, no_embed_class=True, act_layer=nn.ReLU,
    )


def optimizer(module, rate=5e-4, decay=0.04):
    """AdamW as ours: matrices decay, parameters of other axes do not. A convolution's weights, which cut
    patches here, are a matrix there."""
    matrices = [p for name, p in module.named_parameters() if p.ndim == 2 or name.endswith("patch_embed.proj.weight")]
    known = {id(p) for p in matrices}
    others = [p for p in module.parameters() if id(p) not in known]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, eps=1e-8, fused=True)


class Head(nn.Module):
    def __init__(self, hidden, bottleneck, prototypes):
        super().__init__()
        self.hidden, self.bottleneck = nn.Linear(192, hidden), nn.Linear(hidden, bottleneck)
        self.prototypes = nn.Parameter(torch.empty(prototypes, bottleneck))
        for weight in (self.hidden.weight, self.bottleneck.weight, self.prototypes):
            nn.init.trunc_normal_(weight, std=0.02, a=-0.04, b=0.04)

    def project(self, rows):
        return normalize(self.bottleneck(gelu(self.hidden(rows))), dim=1)

    def scores(self, directions):
        return directions @ normalize(self.prototypes, dim=1).T


class Network(nn.Module):
    def __init__(self, head):
        super().__init__()
        self.encoder, self.head = tiny(), Head(**head)
        self.register_buffer("mean", torch.tensor([0.75, 0.6, 0.72]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.18, 0.2, 0.16]).view(1, 3, 1, 1))

    def see(self, tiles, families):
        """Parents' and children's class embeddings; patches under each child, and of each child."""
        x = self.encoder.forward_features((tiles - self.mean) / self.deviation)
        cls, tokens = x[:, 0], x[:, 1:]
        side = math.isqrt(tokens.shape[1]) // GRID
        coarse = tokens[:families].unflatten(1, (GRID, side, GRID, side)).mean((2, 4)).flatten(0, 2)
        return cls[:families], cls[families:], coarse, tokens[families:].mean(1)


def sinkhorn(scores, temperature, iterations):
    rows, prototypes = scores.shape
    plan = ((scores - scores.max()) / temperature).exp()
    for _ in range(iterations):
        plan = plan / plan.sum(0, keepdim=True).clamp_min(1e-30) * (rows / prototypes)
        plan = plan / plan.sum(1, keepdim=True).clamp_min(1e-30)
    return plan


def koleo(rows):
    rows = normalize(rows, dim=1)
    nearest = (rows @ rows.T).fill_diagonal_(-3.0).amax(1)
    return -(2 - 2 * nearest).clamp_min(1e-8).sqrt().log().mean()


def contrast(coarse, fine, strangers):
    alike = normalize(coarse, dim=1) @ normalize(fine, dim=1).T / CONTRAST_TEMPERATURE
    return -log_softmax(alike.masked_fill(strangers, -1e4), 1).diagonal().mean()


class MadStep:
    """A training between two steps; call it for the next. `tiles` is the number of tiles that a step learns from."""

    def __init__(self, path):
        with open(path, "rb") as file:
            settings = tomllib.load(file)
        run, self.sampling = settings["run"], SAMPLING | settings.get("sampling", {})
        if run.get("encoder", "tiny") != "tiny":
            raise SystemExit(f"{path}: only the encoder 'tiny' is known here, not {run['encoder']}")
        self.set = {part: values | run.get(part, {}) for part, values in DEFAULTS.items()}
        head = {name: self.set["head"][name] for name in DEFAULTS["head"]}
        self.student, self.teacher = Network(head), Network(head).requires_grad_(False)
        self.teacher.load_state_dict(self.student.state_dict())
        student = self.set["student"]
        self.adam = optimizer(self.student, student["learning_rate"][0], student["weight_decay"][0])
        self.families, kept = self.sampling["families"], self.sampling["children_per_family"]
        self.tiles = self.families * (1 + kept)
        shape = (self.tiles, 3, self.sampling["tile_px"], self.sampling["tile_px"])
        self.views = torch.rand(shape), torch.rand(shape)
        self.family = torch.arange(self.families).repeat_interleave(kept)
        self.places = self.family * CHILDREN + torch.arange(kept).repeat(self.families)
        self.strangers = self.family[:, None] != self.family[None]
        rows = self.set["teacher"]["queue_rows"]
        self.queues = [normalize(torch.randn(rows, head["bottleneck"]), dim=1) for _ in range(3)]
        self.recent = [normalize(torch.randn(self.set["watch"]["rows"], 192), dim=1) for _ in range(2)]

    def less(self, seen):
        """What was seen, less what is common to all; the patches under the children kept."""
        if not self.set["head"].get("centred", True):
            means = 0.0, 0.0
        else:
            means = [rows.mean(0, keepdim=True) for rows in self.recent]
        parents, children, coarse, fine = seen
        return parents - means[0], children - means[0], coarse[self.places] - means[1], fine - means[1]

    def balanced(self, rows, which):
        teacher, head = self.set["teacher"], self.teacher.head
        directions = head.project(rows)
        scores = head.scores(torch.cat([directions, self.queues[which]]))
        self.queues[which] = pushed(self.queues[which], directions)
        return sinkhorn(scores, teacher["temperature"][0], teacher["sinkhorn_iterations"])[: len(rows)]

    @torch.no_grad()
    def targets(self):
        seen = self.teacher.see(self.views[0], self.families)
        parents, children, coarse, fine = seen
        self.recent[0] = pushed(self.recent[0], torch.cat([parents, children]))
        self.recent[1] = pushed(self.recent[1], torch.cat([coarse[self.places], fine]))
        parents, _, coarse, fine = self.less(seen)
        return [self.balanced(rows, which) for which, rows in enumerate((parents, coarse, fine))]

    def losses(self, says):
        """By name, before weighting; those of weight zero are left out."""
        of_parents, of_coarse, of_fine = says
        head, temperature = self.student.head, self.set["student"]["temperature"]
        seen = self.student.see(self.views[1], self.families)
        parents, children, coarse, fine = self.less(seen)

        def against(targets, rows):
            return cross_entropy(head.scores(head.project(rows)) / temperature, targets)

        parts = {
            "global": lambda: against(of_parents, parents),
            "context": lambda: against(of_parents[self.family], children),
            "tokens": lambda: 0.5 * (against(of_coarse, fine) + against(of_fine, coarse)),
            "koleo": lambda: 0.5 * (koleo(seen[0]) + koleo(seen[1])),
            "contrast": lambda: contrast(coarse, fine, self.strangers),
        }
        return {name: part() for name, part in parts.items() if self.set["loss"][name] > 0}

    def __call__(self):
        parts = self.losses(self.targets())
        loss = sum(self.set["loss"][name] * part for name, part in parts.items())
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), self.set["student"]["most_gradient"], foreach=True)
        self.adam.step()
        with torch.no_grad():
            pairs = list(self.teacher.parameters()), list(self.student.parameters())
            torch._foreach_lerp_(*pairs, 1.0 - self.set["teacher"]["momentum"][0])
        # Read, as ours does: a loss that is no number ends the run.
        return {name: part.item() for name, part in parts.items()}


def pushed(rows, more):
    return torch.cat([rows, more])[-len(rows):] if len(rows) else rows
