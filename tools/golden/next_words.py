#!/usr/bin/env python3
"""Golden cases of the next-word model: logits, loss, gradients; visits of some examples and then of
others, whose states are kept; three steps of Adam over all of them."""
import torch
from torch.nn.functional import cross_entropy

from common import seeded, write_case
from text_lstm import States, TextLSTM

VOCAB, EMBED, HIDDEN, CONTEXT, EXAMPLES = 11, 5, 6, 4, 36
LR, CLIP, STEPS = 1e-2, 5.0, 3
VISITS = [[0, 1, 2, 3, 4, 5], [3, 9, 5, 7, 35, 1], [35, 4, 0, 9, 20, 3]]


def next_words_case(name, seed, embed=EMBED, **options):
    g = seeded(seed)
    model = TextLSTM(VOCAB, embed, HIDDEN, **options)
    weights = {n: p.detach() * (1 if "bias" in n else 2) for n, p in model.named_parameters()}
    text = torch.randint(0, VOCAB, (EXAMPLES + CONTEXT,), generator=g)
    words = text.unfold(0, CONTEXT, 1)[:EXAMPLES]
    following = text[CONTEXT:]

    def compute(dtype):
        model = TextLSTM(VOCAB, embed, HIDDEN, **options).to(dtype)
        model.load_state_dict({n: w.to(dtype) for n, w in weights.items()})
        out = dict(weights, text=text, visits=torch.tensor(VISITS))

        def visit(states, items):
            model.zero_grad()
            logits, end = model(words[items], states.of(items))
            loss = cross_entropy(logits, following[items])
            loss.backward()
            states.keep(items, end)
            return logits.detach(), loss.detach()

        states = States(model, EXAMPLES)
        losses = torch.stack([visit(states, items)[1] for items in VISITS])
        out["visit_losses"] = losses
        out.update({"grad.again." + n: p.grad.clone() for n, p in model.named_parameters()})
        if states.kept:
            out.update(h=states.kept[0].clone(), c=states.kept[1].clone())

        states = States(model, EXAMPLES)
        optimizer = torch.optim.Adam(model.parameters(), lr=LR)
        everything, losses, norms = list(range(EXAMPLES)), [], []
        for step in range(STEPS):
            logits, loss = visit(states, everything)
            if step == 0:
                out.update(logits=logits, loss=loss)
                out.update({"grad." + n: p.grad.clone() for n, p in model.named_parameters()})
            norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP))
            optimizer.step()
            losses.append(loss)
        out.update(losses=torch.stack(losses), norms=torch.stack(norms))
        out.update({"after." + n: p.detach() for n, p in model.named_parameters()})
        return out

    write_case(name, seed, dict(
        {"vocab_size": VOCAB, "embed_size": embed, "hidden_size": HIDDEN, "context": CONTEXT,
         "lr": LR, "clip": CLIP, "steps": STEPS}, **options), compute)


def main():
    next_words_case("text_lstm_one", 51)
    next_words_case("text_lstm_one_gate", 56, output_from="gate", bias_init="one")
    next_words_case("text_lstm_three", 53, layers=3)
    next_words_case("text_lstm_three_gate", 61, layers=3, output_from="gate", bias_init="one")
    next_words_case("text_lstm_one_hot", 82, embed=0, layers=2, bias_init="one")


if __name__ == "__main__":
    main()
