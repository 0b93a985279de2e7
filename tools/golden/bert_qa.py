#!/usr/bin/env python3
"""Golden cases of questions that a part of a text answers: PYTHON tools/golden/bert_qa.py (transformers).

bert_qa.safetensors    logits, loss and gradients of BertForQuestionAnswering with random weights
text/windows.txt       windows of texts by BertTokenizerFast (stride, return_overflowing_tokens, only_second) and what is
                       learned in each as in the course of Hugging Face: one case a line, fields between tabs: longest and
                       stride; question, text and answer in hexadecimal; the byte where the answer begins; windows, each
                       start:end:id,id ... with the bytes of the text begin-end behind the ids of its pieces
text/answers.txt       exact match and F1 by SQuAD's definitions: an answer, right answers with commas between them (all in
                       hexadecimal; `none` for none), exact match, F1
"""
import collections
import os
import random
import re
import string

import torch
from transformers import BertConfig, BertForQuestionAnswering, BertTokenizerFast

from common import FOLDER, seeded, write_case

TEXT = os.path.join(FOLDER, "text")
VOCABULARY, POSITIONS = 20, 12
LENGTHS = [(4, 6), (5, 3), (2, 5), (3, 4)]  # [CLS] question [SEP], text [SEP]
STARTS, ENDS = [5, 0, 4, 7], [8, 0, 4, 9]  # the last ones are outside: they count nothing


# ---- the head --------------------------------------------------------------------------------

def model_of():
    return BertForQuestionAnswering(BertConfig(
        vocab_size=VOCABULARY, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12,
        max_position_embeddings=POSITIONS, attn_implementation="eager")).eval()


def head():
    seed = 1551
    g, fixed = seeded(seed), {}
    for name, p in model_of().named_parameters():
        scale = 0.2 if p.ndim < 2 else 0.5 if "embeddings" in name else p.shape[1] ** -0.5
        fixed["param." + name] = float(name.endswith("LayerNorm.weight")) + scale * torch.randn(p.shape, generator=g)
    lengths = [a + b for a, b in LENGTHS]
    fixed["lengths"] = torch.tensor(lengths)
    fixed["ids"] = torch.randint(1, VOCABULARY, (sum(lengths),), generator=g)
    fixed["segments"] = torch.cat([torch.tensor([0] * a + [1] * b) for a, b in LENGTHS])
    fixed["start"], fixed["end"] = torch.tensor(STARTS), torch.tensor(ENDS)

    def compute(dtype):
        out, model = dict(fixed), model_of().to(dtype)
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(fixed["param." + name])
        logits, losses, at = [], [], 0
        for length, start, end in zip(lengths, STARTS, ENDS):  # one by one: nothing is padded
            part = slice(at, at + length)
            y = model(fixed["ids"][None, part], token_type_ids=fixed["segments"][None, part],
                      start_positions=torch.tensor([start]), end_positions=torch.tensor([end]))
            logits.append(torch.stack((y.start_logits[0], y.end_logits[0]), 1))
            if start < length:
                losses.append(y.loss)
            at += length
        out["logits"] = torch.cat(logits)
        out["loss"] = torch.stack(losses).mean().reshape(1)
        out["loss"].sum().backward()
        for name, p in model.named_parameters():
            if not name.endswith(("key.bias", "qa_outputs.bias", "0.output.LayerNorm.bias")):  # zero: no softmax sees them
                out["grad." + name] = p.grad
        return out

    write_case("bert_qa", seed, {"lengths": LENGTHS}, compute)


# ---- windows -----------------------------------------------------------------------------------

WORDS = "the cat sat on mat un able running hello world café ÉCOLE привет Мир 東京 한국 🙂 don't stop 1990 , . (a) x" \
        .split(" ")


def window(encoding, sample, text, first, last):
    ids, offsets, kinds = encoding["input_ids"][sample], encoding["offset_mapping"][sample], encoding.sequence_ids(sample)
    inside = [i for i, k in enumerate(kinds) if k == 1]
    begin, end = inside[0], inside[-1]
    start_at = end_at = 0
    if offsets[begin][0] <= first and offsets[end][1] >= last:
        at = begin
        while at <= end and offsets[at][0] <= first:
            at += 1
        start_at, at = at - 1, end
        while at >= begin and offsets[at][1] >= last:
            at -= 1
        end_at = at + 1
    byte = [len(text[:i].encode()) for i in range(len(text) + 1)]
    pieces = [f"{i}@{byte[o[0]]}-{byte[o[1]]}" if k == 1 else str(i) for i, o, k in zip(ids, offsets, kinds)]
    return f"{start_at}:{end_at}:" + ",".join(pieces)


def windows():
    r = random.Random(15)
    tokenizer = BertTokenizerFast(os.path.join(TEXT, "wordpiece_vocab.txt"), do_lower_case=True)
    lines = []
    while len(lines) < 60:
        question = " ".join(r.choice(WORDS) for _ in range(r.randrange(0, 4)))
        text = "".join(r.choice(WORDS) + r.choice([" ", " ", "  ", ""]) for _ in range(r.randrange(1, 30)))
        longest = r.randrange(12, 28)
        room = longest - 3 - len(tokenizer(question, add_special_tokens=False)["input_ids"])
        if room < 1 or not tokenizer(text, add_special_tokens=False)["input_ids"]:
            continue
        stride = r.randrange(0, room)
        first = r.randrange(len(text))
        answer = text[first:first + r.randrange(1, 12)]
        e = tokenizer(question, text, truncation="only_second", max_length=longest, stride=stride,
                      return_overflowing_tokens=True, return_offsets_mapping=True)
        all_of = [window(e, i, text, first, first + len(answer)) for i in range(len(e["input_ids"]))]
        lines.append("\t".join([str(longest), str(stride), question.encode().hex(), text.encode().hex(), answer.encode().hex(),
                                str(len(text[:first].encode()))] + all_of) + "\n")
    with open(os.path.join(TEXT, "windows.txt"), "w", encoding="utf-8") as file:
        file.writelines(lines)


# ---- answers -------------------------------------------------------------------------------------

def normal(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def overlap(said, right):
    said, right = normal(said).split(), normal(right).split()
    if not said or not right:
        return float(said == right)
    same = sum((collections.Counter(said) & collections.Counter(right)).values())
    if not same:
        return 0.0
    precision, recall = same / len(said), same / len(right)
    return 2 * precision * recall / (precision + recall)


ANSWERS = [("The Cat", ["cat"]), ("a the an", []), ("", []), ("cat", []), ("", ["cat"]), ("the", ["an", "a."]), ("cat", ["the", "dog"]),
           ("Denver Broncos!", ["the Denver  Broncos", "Broncos"]), ("U.S.", ["us", "U S"]), ("well-known", ["wellknown", "well known"]),
           ("the the cat cat cat", ["cat cat dog"]), ("ÉCOLE école", ["école"]), ("theatre", ["the atre"]), ("a\u0301b", ["b"]),
           ("x_the_y", ["xthey"]), ("a\u00a0b\u2003c", ["a b c"]), ("\u201cthe\u201d cat", ["\u201c\u201d cat"]), ("ΠΆΝΤΑ", ["πάντα"]),
           ("1,000 $", ["1000"]), ("東京 the 京", ["東京 京"]), ("b a", ["a b c", "b"]), ("in the year 1990 , on a mat", ["1990 on mat in"])]


def answers():
    r = random.Random(16)
    words = "the a an cat cat. Cat dog , the- it's 12 É ß Ⱥ".split()
    made = [(" ".join(r.choice(words) for _ in range(r.randrange(0, 6))),
             [" ".join(r.choice(words) for _ in range(r.randrange(0, 6))) for _ in range(r.randrange(0, 4))]) for _ in range(60)]
    with open(os.path.join(TEXT, "answers.txt"), "w", encoding="utf-8") as file:
        for said, right in ANSWERS + made:
            gold = [g for g in right if normal(g)] or [""]
            exact = max(float(normal(said) == normal(g)) for g in gold)
            f1 = max(overlap(said, g) for g in gold)
            listed = ",".join(g.encode().hex() for g in right) if right else "none"
            file.write(f"{said.encode().hex()}\t{listed}\t{exact:.0f}\t{f1!r}\n")


def main():
    head()
    windows()
    answers()


if __name__ == "__main__":
    main()
