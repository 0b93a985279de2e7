#!/usr/bin/env python3
"""Makes tests/golden/text/bpe_*: PYTHON tools/golden/subwords.py (subword-nmt).

bpe_words.txt   words and how often they come up
bpe_codes.txt   merges learned from them, in subword-nmt's form; of equally frequent pairs the one that
                came up first is taken, where subword-nmt takes the last one in alphabetical order
bpe_parts.txt   a word, a tab, its parts by subword-nmt; a tab, its parts with a vocabulary threshold of 20
bpe_parts_0_1.txt   the same codes read as version 0.1 after `</w>` was set apart in some lines
"""
import io
import os
from collections import Counter

from subword_nmt.apply_bpe import BPE

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/golden/text")
TEXT = """
low low low low low lower lower newest newest newest newest newest newest widest widest widest the then
there their these those this that thaw l'eau l'amour aujourd'hui peut-être élève élèves élevé naïve naïf
aaaa aaaaa aaa bananas banana bandana cabana anaconda hello hellish shell seashells she sells sea shore
shores 3,000 1.5 10 100 1000 résumé résumer garçon garçons façade façades Zürich zu zum zur 日本語 日本 本
mississippi missing miss kiss kissing wishing fishing fisher fish sing singing ringing ring bring bringing
"""
MERGES, THRESHOLD = 120, 20


def words():
    counts = Counter()
    for i, word in enumerate(TEXT.split()):
        counts[word] += 1 + (i * 7) % 11
    return counts


def learn(counts):
    """The definition itself: everything is counted anew for every merge."""
    vocabulary = [(list(w[:-1]) + [w[-1] + "</w>"], n) for w, n in counts.items()]
    age, merges = {}, []
    while len(merges) < MERGES:
        pairs = Counter()
        for symbols, n in vocabulary:
            for pair in zip(symbols, symbols[1:]):
                age.setdefault(pair, len(age))
                pairs[pair] += n
        best = max(pairs, key=lambda p: (pairs[p], -age[p]), default=None)
        if best is None or pairs[best] < 2:
            break
        merges.append(best)
        for symbols, _ in vocabulary:
            i = 0
            while i + 1 < len(symbols):
                if (symbols[i], symbols[i + 1]) == best:
                    symbols[i:i + 2] = ["".join(best)]
                i += 1
    return merges


def parts(bpe, word):
    return bpe.segment(word)


def main():
    os.makedirs(FOLDER, exist_ok=True)
    counts = words()
    codes = "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in learn(counts))
    plain = BPE(io.StringIO(codes))
    seen = Counter()
    for word, n in counts.items():
        for part in parts(plain, word).split():
            seen[part] += n
    known = BPE(io.StringIO(codes), vocab={p for p, n in seen.items() if n >= THRESHOLD})
    old_codes = "".join(line + "\n" for line in codes.split("\n")[1:] if line).replace("</w>", "")
    old_codes += "w </w>\ns </w>\nst </w>\n"
    old = BPE(io.StringIO(old_codes))
    others = ["unseen", "x", "fishes", "Zürichs", "日本語本", "aaaaaaaaaaa", "ß", "thereinafter", "1,000.5"]
    every = list(counts) + others

    def write(name, text):
        with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
            file.write(text)
    write("bpe_words.txt", "".join(f"{w} {n}\n" for w, n in counts.items()))
    write("bpe_codes.txt", codes)
    write("bpe_parts.txt", "".join(f"{w}\t{parts(plain, w)}\t{parts(known, w)}\n" for w in every))
    write("bpe_codes_0_1.txt", old_codes)
    write("bpe_parts_0_1.txt", "".join(f"{w}\t{parts(old, w)}\n" for w in every))


if __name__ == "__main__":
    main()
