#!/usr/bin/env python3
"""What g2p-en's own NumPy code says of 1,000 words: a word, a tab, its phonemes. Of the package only its
checkpoint, its words and the functions that compute are used; what it wants for looking words up in
dictionaries is put aside."""
import importlib.util
import os
import random
import sys
import types

COUNT = 1000


def stand_ins():
    """nltk and inflect, as far as g2p_en names them when it is imported."""
    for name in ("nltk", "nltk.corpus", "nltk.tokenize", "inflect"):
        sys.modules[name] = types.ModuleType(name)
    nltk = sys.modules["nltk"]
    nltk.pos_tag = nltk.download = lambda *_: None
    nltk.data = types.SimpleNamespace(find=lambda _: None)
    nltk.corpus = sys.modules["nltk.corpus"]
    nltk.corpus.cmudict = types.SimpleNamespace(dict=dict)
    sys.modules["nltk.tokenize"].TweetTokenizer = lambda: types.SimpleNamespace(tokenize=str.split)
    sys.modules["inflect"].engine = lambda: None


def words():
    """English ones of the package's list, then made-up ones."""
    folder = os.path.dirname(importlib.util.find_spec("g2p_en").origin)
    with open(os.path.join(folder, "homographs.en"), encoding="utf-8") as file:
        found = [line.split("|")[0].lower() for line in file if not line.startswith("#")]
    draw = random.Random(1)
    onsets = "b bl ch cr d dr f fl g gr h j k l m n p pl qu r s sh sk st str t th tr v w y z".split()
    vowels, codas = "a e i o u ai ea ee oo ou".split(), ["", "", "ck", "d", "ll", "m", "n", "nd", "r", "st"]
    while len(found) < COUNT:
        found.append("".join(draw.choice(onsets) + draw.choice(vowels) + draw.choice(codas)
                             for _ in range(draw.randint(1, 4))))
    return found[:COUNT]


def main():
    stand_ins()
    from g2p_en.g2p import G2p
    g2p = G2p()
    for word in words():
        print(word, " ".join(g2p.predict(word)), sep="\t")


if __name__ == "__main__":
    main()
