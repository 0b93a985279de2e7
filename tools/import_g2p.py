#!/usr/bin/env python3
"""Turns g2p-en's model (PyPI; English words to ARPAbet phonemes) into a run of unroll, one file.

    import_g2p.py g2p.safetensors [CHECKPOINT]      its checkpoint20.npz, where g2p_en is not installed
    unroll predict g2p.safetensors --max-tokens 20 'h e l l o'

It is a GRU encoder and a GRU decoder that starts from the encoder's last h: a translation model
(--model rnn) of one layer whose decoder does not use what that model also feeds to each of its steps,
the encoder's h: those columns of its input weights are zero. Tokens are letters on one side, phonemes on
the other, separated by spaces. g2p-en's </s> and <s> are <eos> and <bos>; its rows for <pad> in the
source, which no word has, are left out. Two things remain: unroll never writes <s>, and writes at most
three phonemes for each letter.
"""
import importlib.util
import json
import os
import struct
import sys

import numpy as np

RESERVED = ["<unk>", "<bos>", "<eos>"]
LETTERS = list("abcdefghijklmnopqrstuvwxyz")
PHONEMES = """AA0 AA1 AA2 AE0 AE1 AE2 AH0 AH1 AH2 AO0 AO1 AO2 AW0 AW1 AW2 AY0 AY1 AY2 B CH D DH EH0 EH1
EH2 ER0 ER1 ER2 EY0 EY1 EY2 F G HH IH0 IH1 IH2 IY0 IY1 IY2 JH K L M N NG OW0 OW1 OW2 OY0 OY1 OY2 P R S SH
T TH UH0 UH1 UH2 UW UW0 UW1 UW2 V W Y Z ZH""".split()
# Rows in g2p-en's order: <pad> <unk> </s> letters; <pad> <unk> <s> </s> phonemes.
PAD, UNK = 0, 1
SOURCE_EOS, BOS, TARGET_EOS = 2, 2, 3


def checkpoint():
    spec = importlib.util.find_spec("g2p_en")
    if not spec:
        sys.exit("import_g2p: g2p_en is not installed; name its checkpoint20.npz")
    return os.path.join(os.path.dirname(spec.origin), "checkpoint20.npz")


def converted(g2p):
    """Weights by unroll's names. <bos> of the source is never read: its row is <unk>'s."""
    source = [UNK, UNK, SOURCE_EOS] + list(range(3, 3 + len(LETTERS)))
    target = [UNK, BOS, TARGET_EOS] + list(range(4, 4 + len(PHONEMES))) + [PAD]
    context = np.zeros((g2p["dec_w_ih"].shape[0], g2p["enc_w_hh"].shape[1]), np.float32)
    return {
        "encoder.embed.weight": g2p["enc_emb"][source],
        "encoder.gru.weight_ih_l0": g2p["enc_w_ih"],
        "encoder.gru.weight_hh_l0": g2p["enc_w_hh"],
        "encoder.gru.bias_ih_l0": g2p["enc_b_ih"],
        "encoder.gru.bias_hh_l0": g2p["enc_b_hh"],
        "decoder.embed.weight": g2p["dec_emb"][target],
        "decoder.gru.weight_ih_l0": np.concatenate([g2p["dec_w_ih"], context], 1),
        "decoder.gru.weight_hh_l0": g2p["dec_w_hh"],
        "decoder.gru.bias_ih_l0": g2p["dec_b_ih"],
        "decoder.gru.bias_hh_l0": g2p["dec_b_hh"],
        "decoder.fc.weight": g2p["fc_w"][target],
        "decoder.fc.bias": g2p["fc_b"][target],
    }


def safetensors(tensors, metadata):
    header, offset, body = {"__metadata__": metadata}, 0, b""
    for name, x in tensors.items():
        data = np.ascontiguousarray(x, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(x.shape),
                        "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with np.load(sys.argv[2] if len(sys.argv) == 3 else checkpoint()) as g2p:
        tensors = converted(g2p)
    source, target = RESERVED + LETTERS, RESERVED + PHONEMES + ["<pad>"]
    config = {"version": 2, "model": "translation", "translator": "rnn", "cell": "gru", "layers": 1,
              "bidirectional": "no", "vocabulary_size": len(source), "target_size": len(target),
              "embed_size": tensors["encoder.embed.weight"].shape[1],
              "hidden_size": tensors["encoder.gru.weight_hh_l0"].shape[1],
              "dropout": 0.0, "init": "pytorch", "heads": 4, "feed_forward_size": 0,
              "activation": "relu", "norm_first": False, "tie": "none", "label_smoothing": 0.0,
              "text": {"tokenizer": "word", "lower": False, "merges": 0, "joint": False,
                       "threshold": 0, "min_freq": 1, "max_size": 0, "max_length": 256}}
    with open(sys.argv[1], "wb") as file:
        file.write(safetensors(tensors, {
            "format": "pt", "unroll.config": json.dumps(config),
            "unroll.vocabulary": "".join(w + "\n" for w in source),
            "unroll.target": "".join(w + "\n" for w in target)}))


if __name__ == "__main__":
    main()
