#!/usr/bin/env python3
"""Makes tests/golden/bert_tiny, a published BERT's folder with random weights, and the vectors that
sentence-transformers gives with it, tests/golden/embedder.safetensors (PYTHON with sentence-transformers).

The folder has the form that sentence-transformers wrote up to version 5; its tokens are
wordpiece_vocab.txt's. Vectors are those of TEXTS in tests/run/test_embedder.c, too.
"""
import json
import os
import shutil

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling
from transformers import BertConfig, BertModel

from common import FOLDER, seeded, write_case, write_safetensors

TINY = os.path.join(FOLDER, "bert_tiny")
VOCABULARY = os.path.join(FOLDER, "text", "wordpiece_vocab.txt")
TEXTS = ["the cat sat on the mat", "", "unable, running; CAFÉ [MASK]", "hello world " * 20, "привет Мир 123",
         "东京 日本 q zz"]
POOLS = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
LONGEST = 12


def put(name, value):
    path = os.path.join(TINY, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


def make_folder(g):
    shutil.rmtree(TINY, ignore_errors=True)
    with open(VOCABULARY, encoding="utf-8") as file:
        size = len(file.read().splitlines())
    settings = {"vocab_size": size, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
                "intermediate_size": 12, "max_position_embeddings": 16, "type_vocab_size": 2}
    model = BertModel(BertConfig(**settings))
    tensors = {"embeddings.position_ids": torch.arange(16)[None]}  # a buffer, as older versions wrote it
    for name, p in model.named_parameters():
        centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        tensors[name] = centre + torch.randn(p.shape, generator=g) * (0.2 if p.ndim < 2 else 0.4)
    put("config.json", {"model_type": "bert", "architectures": ["BertModel"], "hidden_act": "gelu", **settings})
    put("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True,
                                  "strip_accents": None, "model_max_length": 16})
    put("modules.json", [{"idx": i, "name": str(i), "path": path, "type": "sentence_transformers.models." + kind}
                         for i, (path, kind) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling"),
                                                           ("2_Normalize", "Normalize")])])
    put("1_Pooling/config.json", {"word_embedding_dimension": 8, "pooling_mode_cls_token": True,
                                  "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False,
                                  "pooling_mode_mean_sqrt_len_tokens": False})
    put("sentence_bert_config.json", {"max_seq_length": LONGEST, "do_lower_case": False})
    put("config_sentence_transformers.json", {"prompts": {"query": "on the mat: ", "none": ""},
                                              "default_prompt_name": None})
    shutil.copy(VOCABULARY, os.path.join(TINY, "vocab.txt"))
    write_safetensors(os.path.join(TINY, "model.safetensors"), tensors, {"format": "pt"})


def vectors(dtype):
    """Text by text, so that nothing is padded; features of several poolings are one after the other."""
    model = SentenceTransformer(TINY, device="cpu").to(dtype)

    def encode(prompt=None, first=len(model)):
        rows = []
        for text in TEXTS:
            features = model.preprocess([(prompt or "") + text])
            for module in list(model)[:first]:
                features = module(features)
            rows.append(features["sentence_embedding"][0])
        return torch.stack(rows)

    out = {"folder": encode(), "query": encode("on the mat: ")}
    for pool in POOLS:
        model[1] = Pooling(8, pooling_mode=pool)
        out[pool] = encode()
    return out


def main():
    seed = 1502
    make_folder(seeded(seed))
    with torch.no_grad():
        write_case("embedder", seed, {"texts": len(TEXTS), "poolings": " ".join(POOLS)}, vectors)


if __name__ == "__main__":
    main()
