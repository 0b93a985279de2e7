#!/usr/bin/env python3
"""The date translator of unroll's `make bench`, trained in PyTorch: seconds per epoch.

    date_epoch.py DATA [--threads N] [--epochs N] [--accuracy TESTFILE]

The same model and settings as `unroll train seq2seq` (hidden 128, embedding 16, batch 256, Adam 2e-4,
no clipping, question reversed, dot attention, every column an ordinary character): nn.LSTM over whole
sequences in encoder and decoder (teacher forcing), ids encoded beforehand and held in memory, shuffled
every epoch. The time of an epoch is shuffling and all its steps; loading is outside.

pytorch.py serves the same to a bench runner that interleaves contestants.

The defaults are the fastest variant found (see bench/README.md). One of them is glibc's allocator
told to keep its memory (serve.py); --plain-malloc leaves it as it is.
"""
import argparse
import contextlib
import json
import sys
import time

import serve
if __name__ == "__main__" and "--plain-malloc" not in sys.argv:
    serve.keep_memory()

import torch
from torch import nn
import torch.nn.functional as F


class Translator(nn.Module):
    """state_dict as tools/golden/seq2seq.py; batch or time first, as configured."""

    def __init__(self, vocab_size, embed_size, hidden_size, batch_first):
        super().__init__()
        self.batch_first = batch_first
        self.encoder, self.decoder = nn.Module(), nn.Module()
        for side in (self.encoder, self.decoder):
            side.embed = nn.Embedding(vocab_size, embed_size)
            side.lstm = nn.LSTM(embed_size, hidden_size, batch_first=batch_first)
        self.decoder.fc = nn.Linear(2 * hidden_size, vocab_size)

    def decode(self, answers_in, state, keys):
        y, state = self.decoder.lstm(self.decoder.embed(answers_in), state)
        if self.batch_first:
            weights = torch.bmm(y, keys.transpose(1, 2)).softmax(2)
            context = torch.bmm(weights, keys)
        else:
            weights = torch.bmm(y.transpose(0, 1), keys.permute(1, 2, 0)).softmax(2)
            context = torch.bmm(weights, keys.transpose(0, 1)).transpose(0, 1)
        return self.decoder.fc(torch.cat([context, y], 2)), state

    def encode(self, questions):
        keys, (h, _) = self.encoder.lstm(self.encoder.embed(questions))
        return keys, (h, torch.zeros_like(h))

    def loss(self, questions, answers_in, targets):
        keys, state = self.encode(questions)
        logits, _ = self.decode(answers_in, state, keys)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    @torch.no_grad()
    def greedy(self, questions, start, steps):
        keys, state = self.encode(questions)
        shape = (questions.shape[0], 1) if self.batch_first else (1, questions.shape[1])
        token, ids = torch.full(shape, start), []
        for _ in range(steps):
            logits, state = self.decode(token, state, keys)
            token = logits.argmax(2)
            ids.append(token)
        return torch.cat(ids, 1 if self.batch_first else 0)


def load(path, vocabulary):
    """Questions, reversed, (N, L) and answers with their start symbol (N, T+1)."""
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if line.strip()]
    ids = torch.tensor([[vocabulary.setdefault(c, len(vocabulary)) for c in line] for line in lines])
    split = lines[0].index("_")
    return ids[:, :split].flip(1).contiguous(), ids[:, split:].contiguous()


class Trainer:
    def __init__(self, args):
        torch.manual_seed(args.seed)
        torch.set_num_threads(args.threads)
        self.args, self.vocabulary = args, {}
        self.questions, self.answers = load(args.data, self.vocabulary)
        self.model = Translator(len(self.vocabulary), args.embed, args.hidden, args.batch_first)
        self.adam = torch.optim.Adam(self.model.parameters(), lr=args.lr,
                                     fused=args.adam == "fused", foreach=args.adam == "foreach")
        self.loss, self.epoch = self.model.loss, 0
        if args.compile:
            torch._dynamo.config.allow_rnn = True
            self.loss = torch.compile(self.model.loss, mode=args.compile_mode, dynamic=False)
        self.warm_up()

    def context(self):
        return contextlib.nullcontext() if self.args.onednn \
            else torch.backends.mkldnn.flags(enabled=False)

    def warm_up(self):
        """Forward and backward of the first and the last, smaller batch: compiles what is compiled."""
        count, size = len(self.questions), self.args.batch
        with self.context():
            for rows in {min(size, count), count % size or size}:
                q, a = self.questions[:rows], self.answers[:rows]
                if not self.args.batch_first:
                    q, a = q.t().contiguous(), a.t().contiguous()
                axis = 1 if self.args.batch_first else 0
                steps = a.shape[axis] - 1
                self.loss(q, a.narrow(axis, 0, steps), a.narrow(axis, 1, steps)).backward()
        self.adam.zero_grad(set_to_none=True)

    def shuffled_batches(self):
        """Questions and answers of an epoch's batches."""
        order = torch.randperm(len(self.questions))
        questions, answers = self.questions[order], self.answers[order]
        if not self.args.batch_first:
            questions, answers = questions.t().contiguous(), answers.t().contiguous()
        axis = 0 if self.args.batch_first else 1
        return zip(questions.split(self.args.batch, axis), answers.split(self.args.batch, axis))

    def step(self, questions, answers):
        """One optimiser step; returns its loss."""
        axis = 1 if self.args.batch_first else 0
        steps = answers.shape[axis] - 1
        self.adam.zero_grad(set_to_none=True)
        loss = self.loss(questions, answers.narrow(axis, 0, steps), answers.narrow(axis, 1, steps))
        loss.backward()
        self.adam.step()
        return loss.detach()

    def run_part(self, parts):
        """A function that does the next 1/parts of an epoch's batches, for serve.py."""
        batches = -(-len(self.questions) // self.args.batch)
        steps, left = -(-batches // parts), iter(())

        def run():
            nonlocal left
            with self.context():
                for _ in range(steps):
                    batch = next(left, None)
                    if batch is None:
                        left = iter(self.shuffled_batches())
                        batch = next(left)
                    self.step(*batch)
        run.scale = batches / steps
        return run

    def run_epoch(self):
        """One epoch; returns the JSON object."""
        begin = time.perf_counter()
        with self.context():
            losses = [self.step(*batch) for batch in self.shuffled_batches()]
        mean = torch.stack(losses).mean().item()
        seconds = time.perf_counter() - begin
        self.epoch += 1
        return {"rival": "pytorch " + torch.__version__, "threads": self.args.threads,
                "epoch": self.epoch, "seconds": round(seconds, 4), "loss": round(mean, 6),
                "sequences_per_second": round(len(self.questions) / seconds)}

    def accuracy(self, path):
        """Share of whole answers that greedy decoding gets right."""
        questions, answers = load(path, dict(self.vocabulary))
        right = 0
        for q, a in zip(questions.split(1000), answers.split(1000)):
            if self.args.batch_first:
                out = self.model.greedy(q, self.vocabulary["_"], a.shape[1] - 1)
            else:
                out = self.model.greedy(q.t(), self.vocabulary["_"], a.shape[1] - 1).t()
            right += int((out == a[:, 1:]).all(1).sum())
        return right / len(questions)


def arguments(given=None):
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data", help="training file, `question_answer` a line, fixed width")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--epochs", type=int, default=1)
    p.add_argument("--accuracy", metavar="FILE", help="after the last epoch: greedy decoding of FILE")
    p.add_argument("--compile", action=argparse.BooleanOptionalAction, default=False)
    p.add_argument("--eager", dest="compile", action="store_false")
    p.add_argument("--compile-mode", default="default")
    p.add_argument("--adam", choices=("fused", "foreach", "loop"), default="fused")
    p.add_argument("--batch-first", action=argparse.BooleanOptionalAction, default=True)
    p.add_argument("--onednn", action=argparse.BooleanOptionalAction, default=True,
                   help="let nn.LSTM use oneDNN")
    p.add_argument("--plain-malloc", action="store_true", help="leave glibc's allocator as it is")
    p.add_argument("--hidden", type=int, default=128)
    p.add_argument("--embed", type=int, default=16)
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--lr", type=float, default=2e-4)
    p.add_argument("--seed", type=int, default=1)
    return p.parse_args(given)


def main():
    args = arguments()
    trainer = Trainer(args)
    for _ in range(args.epochs):
        print(json.dumps(trainer.run_epoch()), flush=True)
    if args.accuracy:
        print(json.dumps({"accuracy": trainer.accuracy(args.accuracy)}), flush=True)


if __name__ == "__main__":
    main()
