#!/usr/bin/env python3
"""Makes tests/golden/text/bleu.txt: PYTHON tools/golden/bleu.py (sacrebleu).

Blocks of lines, a line with a full stop behind each:
    system NAME REFERENCES TOKENIZER
    = BLEU p1 p2 p3 p4 BP LENGTH REFERENCE_LENGTH CHRF, by sacreBLEU
    > SIGNATURE of BLEU without its version
    h TEXT, then its references, each `r TEXT`; an empty text is `h` and a space
"""
import os

import sacrebleu
from sacrebleu.metrics import BLEU, CHRF

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/golden/text/bleu.txt")
A = [("The cat sat on the mat.", ["The cat sat on the mat.", "A cat was sitting on the mat."]),
     ("It costs 3,000.50 dollars - 5-10% off!", ["It costs $3,000.50 (5-10% off)!", "3.000 dollars"]),
     ("Ils sont là, n'est-ce pas ?", ["Ils sont là, n'est-ce pas ?", "Elles sont ici."]),
     ("Don't say &quot;no&quot; &amp; &lt;go&gt;...", ["Do not say \"no\" & <go>..", "Don't"])]
B = [("go", ["go"]), ("", ["an empty line"]), ("stop !", ["stop"]), ("one", ["two"])]
C = [("a b c d e f g h", ["a b c d e f g h"]), ("a b c d", ["a b x d"]), ("q r s", ["s r q"])]
D = [("日本語の文。", ["日本語の文章。", "文。"]), ("ÀÉÎ õü", ["àéî õü", "ÀÉÎ\u00a0õü"]),
     ("a\u2003b\u202fc", ["a b c", "a  b c"])]
E = [("x" * 3, ["xxx"]), ("the the the the the the the", ["the cat is on the mat",
                                                              "there is a cat on the mat"])]
F = [("", [""]), ("", ["word"])]
G = [("word", [""]), ("a , b . c", ["a, b. c"]), ("1.5,2 .5 5. ,5", ["1.5, 2.5 5., 5"])]
H = [("short", ["a much longer reference than that"]), ("a much longer text than the reference", ["short"])]


def first(pairs):
    return [(h, r[:1]) for h, r in pairs]


SYSTEMS = [("two references", A, "13a"), ("first reference", first(A), "13a"), ("none", A, "none"),
           ("one word and empty", B, "13a"), ("one word and empty none", B, "none"),
           ("letters", C, "13a"), ("unicode", D, "13a"), ("unicode none", first(D), "none"),
           ("repeated", E, "13a"), ("all empty", F, "13a"), ("empty reference", G, "13a"),
           ("lengths", H, "13a"), ("everything", A + B + C + D + E + F + G + H, "13a"),
           ("everything first", first(A + B + C + D + E + F + G + H), "none"),
           ("a single match", [("yes it is so now", ["no she was now"])], "13a")]


def main():
    out = []
    for name, pairs, tokenizer in SYSTEMS:
        most = max(len(r) for _, r in pairs)
        streams = [[r[i] if i < len(r) else None for _, r in pairs] for i in range(most)]
        texts = [h for h, _ in pairs]
        bleu, chrf = BLEU(tokenize=tokenizer, force=True), CHRF()
        score = bleu.corpus_score(texts, streams)
        char = chrf.corpus_score(texts, streams)
        signature = str(bleu.get_signature()).rsplit("|version:", 1)[0]
        out.append(f"system {name}: {tokenizer}")
        out.append("= " + " ".join(repr(float(x)) for x in [score.score, *score.precisions, score.bp])
                   + f" {score.sys_len} {score.ref_len} {char.score!r}")
        out.append("> " + signature)
        for text, references in pairs:
            out.append("h " + text)
            out.extend("r " + r for r in references)
        out.append(".")
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(f"sacreBLEU {sacrebleu.__version__}\n" + "\n".join(out) + "\n")


if __name__ == "__main__":
    main()
