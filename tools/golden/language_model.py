#!/usr/bin/env python3
"""Golden cases of the language model: three batches of truncated back-propagation, states carried,
each with a step of SGD and clipping. The text is B streams of 3 T tokens one after the other, and one
token more."""
import torch

from common import seeded, write_case
from text_model import TextModel, detach

VOCAB, BATCH, STEPS, BATCHES, LR = 9, 3, 4, 3, 0.5


def language_case(name, seed, clip=0.5, **options):
    g = seeded(seed)
    made = TextModel(VOCAB, **options)
    weights = {n: p.detach().clone() for n, p in made.state_dict().items()}
    stream = STEPS * BATCHES
    text = torch.randint(0, VOCAB, (BATCH * stream + 1,), generator=g)
    x, y = text[:-1].view(BATCH, stream), text[1:].view(BATCH, stream)

    def compute(dtype):
        model = TextModel(VOCAB, **options).to(dtype)
        model.load_state_dict({n: w.to(dtype) for n, w in weights.items()})
        optimizer = torch.optim.SGD(model.parameters(), lr=LR)
        out = dict(weights, text=text)
        losses, norms, state = [], [], None
        for step in range(BATCHES):
            part = slice(step * STEPS, (step + 1) * STEPS)
            optimizer.zero_grad()
            logits, state = model(x[:, part], state)
            state = detach(state)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y[:, part].flatten())
            loss.backward()
            if step == 0:
                out.update(logits=logits.detach())
                out.update({"grad." + n: dict(model.named_parameters(remove_duplicate=False))[n]
                            .grad.clone() for n in weights})
            norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), clip))
            optimizer.step()
            losses.append(loss.detach())
        states = state if isinstance(state, tuple) else (state,)
        out.update(losses=torch.stack(losses), norms=torch.stack(norms),
                   states=torch.cat([s.flatten() for s in states]))
        out.update({"after." + n: p.detach() for n, p in model.state_dict().items()})
        return out

    write_case(name, seed, dict({"vocabulary": VOCAB, "batch": BATCH, "bptt": STEPS, "lr": LR,
                                 "clip": clip}, **options), compute)


def main():
    language_case("language_lstm", 51, cell="lstm", hidden_size=6)
    language_case("language_gru", 52, cell="gru", hidden_size=5, layers=2)
    language_case("language_rnn", 53, cell="rnn_tanh", hidden_size=7)
    language_case("language_both", 54, cell="lstm", hidden_size=4, layers=2, bidirectional=True)
    language_case("language_tied_lstm", 55, cell="lstm", hidden_size=6, embed_size=6, layers=2,
                  tied=True)
    language_case("language_tied_rnn", 56, cell="rnn_relu", hidden_size=5, embed_size=5,
                  tied=True, clip=5.0)
    language_case("language_embed_gru", 57, cell="gru", hidden_size=6, embed_size=4)


if __name__ == "__main__":
    main()
