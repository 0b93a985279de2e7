"""Training the model of a run anew in PyTorch for so many minutes, its weights written at every mark."""
import contextlib
import json
import math
import os
import struct
import time

import torch
from torch import nn

from runs import read_weights


def arguments(parser):
    parser.add_argument("out")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--mark", type=float, default=60, help="seconds from one mark to the next")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action="store_true")
    return parser.parse_args()


def first_weights(run, prefixes):
    return read_weights(os.path.join(run, "checkpoints", "0.safetensors"), prefixes)


def rate(training, step, done):
    """Of step 1, 2 ...; done: the part of the time that is over. A line up over the warm-up, and then times
    the root of warmup / step, or along half a cosine over the whole time."""
    warmup = max(training["warmup_steps"], 1)
    if training["schedule"] == "inverse_sqrt":
        return training["lr"] * min(step / warmup, (warmup / step) ** 0.5)
    assert training["schedule"] == "cosine" and training["lr_min"] == 0
    return training["lr"] * min(step / warmup, 1) * 0.5 * (1 + math.cos(math.pi * min(done, 1)))


def write_like(model_file, weights, path):
    """The file of weights with other values."""
    with open(model_file, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        head, data = file.read(size), bytearray(file.read())
    for name, entry in json.loads(head).items():
        if name in weights:
            begin, end = entry["data_offsets"]
            data[begin:end] = weights[name].detach().numpy().astype("<f4").tobytes()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", size) + head + data)


def train(args, training, model, batches, loss_of):
    """batches(): those of an epoch; loss_of(model, batch, autocast). Adam with the run's settings. At every
    mark the weights go to OUT/S.safetensors, S being the seconds, in the form of the run's own files of
    weights, which unroll opens; writing is outside the time. Prints a JSON line a mark."""
    torch.set_num_threads(args.threads)
    model.train()
    parameters = list(model.parameters())
    adam = torch.optim.Adam(parameters, lr=1.0, betas=(training["beta1"], training["beta2"]),
                            eps=training["eps"], fused=True)
    half = torch.autocast("cpu", torch.bfloat16) if args.bfloat16 else contextlib.nullcontext()
    os.makedirs(args.out, exist_ok=True)
    spent, step, epoch, mark, end = 0.0, 0, 0, args.mark, args.minutes * 60
    while spent < end:
        epoch += 1
        for batch in batches():
            begin, step = time.perf_counter(), step + 1
            for group in adam.param_groups:
                group["lr"] = rate(training, step, spent / end)
            adam.zero_grad(set_to_none=True)
            loss = loss_of(model, batch, half)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, training["clip"], foreach=True)
            adam.step()
            spent += time.perf_counter() - begin
            if spent >= min(mark, end):
                write_like(os.path.join(args.run, "model.safetensors"),
                           dict(model.named_parameters(remove_duplicate=False)),
                           os.path.join(args.out, f"{round(spent)}.safetensors"))
                print(json.dumps({"seconds": round(spent, 1), "step": step, "epoch": epoch,
                                  "loss": round(loss.item(), 4)}), flush=True)
                mark += args.mark
            if spent >= end:
                break
