#!/usr/bin/env python3
"""Golden cases of BERT: hidden states, attention weights, pooler and gradients of transformers' BertModel
with random weights; of BertForMaskedLM the logits as well (PYTHON with transformers)."""
import torch
from transformers import BertConfig, BertForMaskedLM, BertModel

from common import seeded, write_case

# vocabulary, hidden, layers, heads, feed-forward, positions, segments, act, eps, what is on top, lengths
CASES = [(20, 8, 2, 2, 16, 12, 2, "gelu", 1e-12, "pooler", [5, 1, 9]),
         (11, 12, 1, 3, 20, 7, 1, "relu", 1e-5, "", [2, 7]),
         (30, 32, 3, 4, 48, 20, 3, "gelu_new", 1e-6, "pooler", [17]),
         (23, 8, 1, 2, 12, 6, 2, "gelu", 1e-12, "words", [4, 6])]


def model_of(case):
    vocabulary, hidden, layers, heads, inner, positions, segments, act, eps, top, _ = case
    config = BertConfig(vocab_size=vocabulary, hidden_size=hidden, num_hidden_layers=layers,
                        num_attention_heads=heads, intermediate_size=inner, hidden_act=act,
                        max_position_embeddings=positions, type_vocab_size=segments, layer_norm_eps=eps,
                        attn_implementation="eager")
    if top == "words":
        return BertForMaskedLM(config).eval()
    return BertModel(config, add_pooling_layer=top == "pooler").eval()


def named(model):
    """Parameters under BertModel's names; tied ones under each of theirs."""
    return {name.removeprefix("bert."): p for name, p in model.state_dict(keep_vars=True).items()
            if isinstance(p, torch.nn.Parameter)}


def case_of(i, case, g, fixed):
    _, hidden, _, _, _, _, segments, _, _, top, lengths = case
    rows, n, tied = sum(lengths), f"{i}.", {}
    for name, p in named(model_of(case)).items():
        if id(p) in tied:
            fixed[n + "param." + name] = tied[id(p)]
            continue
        scale = 0.2 if p.ndim < 2 else 0.5 if "embeddings" in name else p.shape[1] ** -0.5
        centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        tied[id(p)] = fixed[n + "param." + name] = centre + scale * torch.randn(p.shape, generator=g)
    fixed[n + "lengths"] = torch.tensor(lengths)
    # 0 is the padding to transformers, whose embedding learns nothing from being looked up
    fixed[n + "ids"] = torch.randint(1, case[0], (rows,), generator=g)
    fixed[n + "segments"] = torch.randint(0, segments, (rows,), generator=g)
    fixed[n + "wy"] = torch.randn(rows, hidden, generator=g)
    if top == "pooler":
        fixed[n + "wp"] = torch.randn(len(lengths), hidden, generator=g)
    if top == "words":
        fixed[n + "wl"] = torch.randn(rows, case[0], generator=g)


def run(i, case, fixed, dtype, out):
    """Sequence by sequence: what is ragged has no padding."""
    n, lengths = f"{i}.", case[-1]
    model = model_of(case).to(dtype)
    with torch.no_grad():
        for name, p in named(model).items():
            p.copy_(fixed[n + "param." + name])
    hidden, attentions, pooled, logits, loss, at = [], [], [], [], 0, 0
    for b, length in enumerate(lengths):
        part = slice(at, at + length)
        y = model(fixed[n + "ids"][None, part], token_type_ids=fixed[n + "segments"][None, part],
                  output_hidden_states=True, output_attentions=True)
        hidden.append([h[0] for h in y.hidden_states])
        attentions.append([w[0].reshape(-1) for w in y.attentions])
        loss = loss + (y.hidden_states[-1][0] * fixed[n + "wy"][part].to(dtype)).sum()
        if case[-2] == "words":
            logits.append(y.logits[0])
            loss = loss + (y.logits[0] * fixed[n + "wl"][part].to(dtype)).sum()
        if case[-2] == "pooler":
            pooled.append(y.pooler_output[0])
            loss = loss + (y.pooler_output[0] * fixed[n + "wp"][b].to(dtype)).sum()
        at += length
    loss.backward()
    for k in range(case[2]):
        out[f"{n}hidden.{k}"] = torch.cat([h[k + 1] for h in hidden])
        out[f"{n}attention.{k}"] = torch.cat([a[k] for a in attentions])
    if pooled:
        out[n + "pooled"] = torch.stack(pooled)
    if logits:
        out[n + "logits"] = torch.cat(logits)
    for name, p in named(model).items():
        if not name.endswith("key.bias"):  # zero but for rounding: the softmax does not see it
            out[f"{n}grad.{name}"] = p.grad


def main():
    seed = 1501
    g = seeded(seed)
    fixed = {}
    for i, case in enumerate(CASES):
        case_of(i, case, g, fixed)

    def compute(dtype):
        out = dict(fixed)
        for i, case in enumerate(CASES):
            run(i, case, fixed, dtype, out)
        return out

    write_case("bert_models", seed, {"settings": "; ".join(str(c) for c in CASES)}, compute)


if __name__ == "__main__":
    main()
