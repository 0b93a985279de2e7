#!/usr/bin/env python3
"""Golden cases of taggers and classifiers, as PyTorch's users write them: logits, loss, gradients, and
three steps of Adam.

state_dict: embed.weight, lstm.* (gru.*, rnn.*), fc.weight fc.bias.
"""
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from common import seeded, write_case
from seq2seq import CELLS, valid

VOCAB, LABELS, EMBED, HIDDEN, BATCH, LENGTH = 11, 5, 4, 6, 6, 7
LENGTHS = [3, 7, 1, 5, 7, 2]
LR, STEPS = 1e-2, 3


class Labeller(nn.Module):
    """Tokens (B, T) and their lengths -> logits (B, T, labels), or (B, labels) per sequence."""

    def __init__(self, per_sequence=False, cell="lstm", layers=1, directions="concat"):
        super().__init__()
        self.per_sequence, self.directions = per_sequence, directions
        self.embed = nn.Embedding(VOCAB, EMBED)
        self.cell, kind, more = CELLS[cell]
        self.add_module(self.cell, kind(EMBED, HIDDEN, layers, batch_first=True,
                                        bidirectional=directions != "no", **more))
        self.fc = nn.Linear(HIDDEN * (2 if directions == "concat" else 1), LABELS)

    def join(self, forward, backward):
        if self.directions == "average":
            return (forward + backward) / 2
        return torch.cat((forward, backward), dim=-1)

    def forward(self, tokens, lengths):
        packed = pack_padded_sequence(self.embed(tokens), lengths, batch_first=True,
                                      enforce_sorted=False)
        y, state = getattr(self, self.cell)(packed)
        if self.per_sequence:
            h_n = state[0] if isinstance(state, tuple) else state
            return self.fc(h_n[-1] if self.directions == "no" else self.join(h_n[-2], h_n[-1]))
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=tokens.shape[1])
        return self.fc(y if self.directions == "no" else self.join(*y.chunk(2, dim=2)))


def labeller_case(name, seed, clip=5.0, **options):
    g = seeded(seed)
    per_sequence = options.get("per_sequence", False)
    weights = {n: p.detach().clone() for n, p in Labeller(**options).named_parameters()}
    mask = valid(LENGTHS, LENGTH)
    tokens = torch.randint(0, VOCAB, (BATCH, LENGTH), generator=g) * mask
    labels = torch.randint(0, LABELS, (BATCH,) if per_sequence else (BATCH, LENGTH), generator=g)
    if not per_sequence:
        labels = labels * mask
    data = {"tokens": tokens, "lengths": torch.tensor(LENGTHS), "labels": labels}

    def loss_of(logits):
        if per_sequence:
            return nn.functional.cross_entropy(logits, labels)
        targets = labels.masked_fill(~mask, -100)
        return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def compute(dtype):
        model = Labeller(**options).to(dtype)
        model.load_state_dict({n: w.to(dtype) for n, w in weights.items()})
        optimizer = torch.optim.Adam(model.parameters(), lr=LR)
        out = dict(data, **weights)
        losses, norms = [], []
        for step in range(STEPS):
            optimizer.zero_grad()
            logits = model(tokens, LENGTHS)
            loss = loss_of(logits)
            loss.backward()
            if step == 0:
                if not per_sequence:
                    logits = logits * mask[:, :, None]
                out.update(logits=logits.detach(), loss=loss.detach())
                out.update({"grad." + n: p.grad.clone() for n, p in model.named_parameters()})
            norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), clip))
            optimizer.step()
            losses.append(loss.detach())
        out.update(losses=torch.stack(losses), norms=torch.stack(norms))
        out.update({"after." + n: p.detach() for n, p in model.named_parameters()})
        return out

    write_case(name, seed, dict(
        {"vocab_size": VOCAB, "labels": LABELS, "embed_size": EMBED, "hidden_size": HIDDEN,
         "per_sequence": False, "cell": "lstm", "layers": 1, "directions": "concat", "lr": LR,
         "clip": clip, "steps": STEPS}, **options), compute)


def main():
    labeller_case("tagger_lstm", 61)
    labeller_case("tagger_gru_deep", 62, clip=0.5, cell="gru", layers=2)
    labeller_case("tagger_rnn", 63, cell="rnn_tanh", directions="no")
    labeller_case("tagger_lstm_average", 64, layers=2, directions="average")
    labeller_case("classifier_lstm", 65, per_sequence=True, layers=2)
    labeller_case("classifier_gru", 66, clip=0.5, per_sequence=True, cell="gru")
    labeller_case("classifier_rnn", 67, per_sequence=True, cell="rnn_relu", directions="no")
    labeller_case("classifier_gru_average", 68, per_sequence=True, cell="gru", layers=2,
                  directions="average")


if __name__ == "__main__":
    main()
