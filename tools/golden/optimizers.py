#!/usr/bin/env python3
"""Golden cases of the optimisers: three steps with given gradients, clipping by global norm, and
learning-rate schedules."""
import torch
from torch.optim import lr_scheduler

from common import leaf, seeded, write_case

STEPS, SIZE = 3, 37

VARIANTS = {
    "adam": (torch.optim.Adam, {}),
    "adam_lr": (torch.optim.Adam, {"lr": 0.02, "betas": (0.8, 0.99), "eps": 1e-6}),
    "adam_weight_decay": (torch.optim.Adam, {"weight_decay": 0.1}),
    "adamw": (torch.optim.AdamW, {"lr": 0.02, "weight_decay": 0.1}),
    "adamw_betas": (torch.optim.AdamW, {"betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.5}),
    "sgd": (torch.optim.SGD, {"lr": 0.1}),
    "sgd_momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "sgd_nesterov": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd_weight_decay": (torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.1}),
    "sgd_momentum_weight_decay": (torch.optim.SGD,
                                  {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
}


def optimizers_case(name, seed):
    g = seeded(seed)
    w0 = torch.randn(SIZE, generator=g)
    gradients = torch.randn(STEPS, SIZE, generator=g)
    gradients *= 10.0 ** torch.randint(-4, 2, (SIZE,), generator=g)  # of very different sizes
    gradients[:, 5] = 0.0

    def compute(dtype):
        out = {"w": w0, "gradients": gradients}
        for variant, (kind, options) in VARIANTS.items():
            w = leaf(w0, dtype)
            optimizer = kind([w], **options)
            after = []
            for step in range(STEPS):
                w.grad = gradients[step].to(dtype, copy=True)
                optimizer.step()
                after.append(w.detach().clone())
            out["after." + variant] = torch.stack(after)
        return out

    write_case(name, seed, {v: options for v, (_, options) in VARIANTS.items()}, compute)


def clip_case(name, seed):
    """Two tensors clipped together: once the norm is above the bound, once below it."""
    g = seeded(seed)
    gradients = {"a": torch.randn(23, generator=g), "b": torch.randn(5, 3, generator=g) * 3}
    bounds = {"clipped": 1.5, "kept": 1000.0}

    def compute(dtype):
        out = {"gradient." + n: v for n, v in gradients.items()}
        for label, max_norm in bounds.items():
            leaves = {n: torch.zeros_like(v, dtype=dtype) for n, v in gradients.items()}
            for n, v in leaves.items():
                v.requires_grad_(True).grad = gradients[n].to(dtype, copy=True)
            out["norm"] = torch.nn.utils.clip_grad_norm_(list(leaves.values()), max_norm)
            out.update({f"{label}.{n}": v.grad for n, v in leaves.items()})
        return out

    write_case(name, seed, {"max_norm": bounds}, compute)


EPOCHS, BATCHES, WARMUP, LR = 12, 5, 7, 0.5

# (schedulers that step after a batch, those that step after an epoch)
SCHEDULES = {
    "step": (lambda o: [], lambda o: [lr_scheduler.StepLR(o, 5, 0.3)]),
    "cosine": (lambda o: [lr_scheduler.CosineAnnealingLR(o, EPOCHS * BATCHES, 0.01)],
               lambda o: []),
    "warmup": (lambda o: [lr_scheduler.LinearLR(o, 1 / WARMUP, 1.0, WARMUP - 1)], lambda o: []),
    "step_warmup": (lambda o: [lr_scheduler.LinearLR(o, 1 / WARMUP, 1.0, WARMUP - 1)],
                    lambda o: [lr_scheduler.StepLR(o, 1, 0.3)]),
    "cosine_warmup": (lambda o: [lr_scheduler.LinearLR(o, 1 / WARMUP, 1.0, WARMUP - 1),
                                 lr_scheduler.CosineAnnealingLR(o, EPOCHS * BATCHES)],
                      lambda o: []),
    "plateau": (lambda o: [], lambda o: [lr_scheduler.ReduceLROnPlateau(o, factor=0.3, patience=1,
                                                                        min_lr=0.04)]),
}


def schedules_case(name, seed):
    """The rate of every step; the plateau's losses are those after each epoch."""
    # better; hardly better; as good; worse; much better; then never again
    losses = torch.tensor([3.0, 2.0, 1.99999, 2.0, 2.5, 1.0, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5])

    def compute(dtype):
        out = {"losses": losses}
        for variant, (each_batch, each_epoch) in SCHEDULES.items():
            optimizer = torch.optim.SGD([leaf(torch.zeros(1), dtype)], lr=LR)
            by_batch, by_epoch = each_batch(optimizer), each_epoch(optimizer)
            rates = []
            for epoch in range(EPOCHS):
                for _ in range(BATCHES):
                    rates.append(optimizer.param_groups[0]["lr"])
                    optimizer.step()
                    for scheduler in by_batch:
                        scheduler.step()
                for scheduler in by_epoch:
                    scheduler.step(*([float(losses[epoch])] if variant == "plateau" else []))
            out["rate." + variant] = torch.tensor(rates, dtype=torch.float64)
        return out

    write_case(name, seed, {"epochs": EPOCHS, "batches": BATCHES, "lr": LR, "warmup": WARMUP},
               compute)


def main():
    optimizers_case("optimizers", 21)
    clip_case("clip_grad_norm", 22)
    schedules_case("schedules", 23)


if __name__ == "__main__":
    main()
