#!/usr/bin/env python3
"""Makes tests/golden/text/wordpiece_*: PYTHON tools/golden/wordpiece.py (tokenizers, transformers).

wordpiece_vocab.txt   a made-up vocabulary in the form of vocab.txt
wordpiece_ids.txt     one input a line: lower, strip_accents, ideographs as 0 or 1; the text's bytes in
                      hexadecimal; id:begin:end of each piece by BertTokenizerFast, in bytes of the text
"""
import os
import random

from transformers import BertTokenizerFast

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/golden/text")
SPECIAL = "[PAD] [UNK] [CLS] [SEP] [MASK]".split()
WORDS = """the cat sat on mat un able want run running hello world caf e é cafe café ecole école i i̇ ss ß σ ς
σας привет мир и й 東 京 日 本 か が 한 국 ᄒ ᅡ ᆫ सा न ไ ท ย 🙂 👩 💻 a b c d x y z A B THE Cat 1 2 12 123 1990""".split()
PARTS = "a b c d e s t n r i o u ing ed er able ning ss é e x xx xxx y z q 1 2 90 ская ᅡ ᆫ न ย ा ् σ ς".split()
SIGNS = list("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~") + ["¿", "…", "«", "»", "，", "。", "—"]
TEXTS = ["The cat sat on the mat.", "unable, running; CAFÉ café ÉCOLE", "", "   ", "[CLS] the [MASK] sat[SEP]", "[mask] [MASK",
         "東京日本 a日b かが", "привет Мир Йй", "İi Iı ß ẞ ﬁ", "ΣΑΣ σας ς", "q\x00w\u200d\ufeffz \ufffd\u00ad\ue000a\x07b",
         "a\u00a0b\u2003c\u3000d\te\nf\rg\u0085h\u2028i", "e\u0301e\u0300\u0323e", "a\u0315\u0300\u05ae\u0345b", "x" * 100, "x" * 101,
         "한국 한국", "सान् ไทย", "🙂👩‍💻🇫🇷", "don't stop--e-mail@x.y", "1990-12-31 123", "…«a»¿b？c，",
         "a\u302e\u302ab \U0001d165\U0001d16d\U0001d166c", "\uf900\U0002f800\u2f00", "the\u0483cat", "[[MASK]]", "zzz#a ##b"]


def made(count):
    r = random.Random(15)
    parts = WORDS + PARTS + SIGNS + SPECIAL + [" ", " ", "\t", "\u0301", "\u0308", "\u200b", "\u0000", "Ａ", "Ⅳ", "ǅ", "\u05b0"]
    return ["".join(r.choice(parts) + r.choice(["", " "]) for _ in range(r.randrange(1, 14))) for _ in range(count)]


def main():
    vocabulary = SPECIAL + WORDS + SIGNS + ["##" + p for p in PARTS]
    path = os.path.join(FOLDER, "wordpiece_vocab.txt")
    vocabulary = list(dict.fromkeys(vocabulary))
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(t + "\n" for t in vocabulary))
    lines = []
    for lower, strip, ideographs in ((1, 1, 1), (0, 0, 1), (1, 0, 0), (0, 1, 1)):
        tokenizer = BertTokenizerFast(path, do_lower_case=bool(lower), strip_accents=bool(strip),
                                      tokenize_chinese_chars=bool(ideographs))
        ids = tokenizer.get_vocab()
        assert all(ids[t] == i for i, t in enumerate(vocabulary)), "another vocabulary"
        for text in TEXTS + made(60):
            at = [0]
            for c in text:
                at.append(at[-1] + len(c.encode()))
            e = tokenizer.backend_tokenizer.encode(text)
            pieces = " ".join(f"{i}:{at[b]}:{at[c]}" for i, (b, c) in zip(e.ids, e.offsets))
            lines.append(f"{lower} {strip} {ideographs}\t{text.encode().hex()}\t{pieces}\n")
    with open(os.path.join(FOLDER, "wordpiece_ids.txt"), "w", encoding="utf-8") as file:
        file.writelines(lines)


main()
