#!/usr/bin/env python3
"""Writes src/text/wordpiece_unicode.h: what BERT's tokenizer takes each character for.

The reference is Hugging Face's package tokenizers, asked for every code point, since its Unicode is
of another version than that of any library here. NFD itself is left to utf8proc, whose decompositions
and combining classes no later version of Unicode changes; the table says which characters have one.

    pip install tokenizers; tools/unicode_bert.py > src/text/wordpiece_unicode.h
"""
import tokenizers
from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

FLAGS = ["REMOVED", "SPACE", "IDEOGRAPH", "MARK", "PUNCTUATION", "DECOMPOSES", "NONSTARTER", "LOWERS"]
MEANING = ["left away", "white space", "a word of its own: CJK", "non-spacing: Mn",
           "a word of its own", "has a canonical decomposition", "its combining class is not 0",
           "has a lower case"]


def normaliser(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return BertNormalizer(**{**options, **on}).normalize_str


clean, ideographs = normaliser(clean_text=True), normaliser(handle_chinese_chars=True)
strip, lower = normaliser(strip_accents=True), normaliser(lowercase=True)
nfd, split = NFD().normalize_str, BertPreTokenizer().pre_tokenize_str
LOW, HIGH = chr(0x334), chr(0x345)  # combining classes 1 and 240


def flags(c):
    cleaned = clean("q" + c + "q")
    decomposed = nfd(c)
    moves = nfd("q" + c + LOW) == "q" + LOW + decomposed or nfd("q" + HIGH + c) == "q" + decomposed + HIGH
    yes = [cleaned == "qq", cleaned == "q q", ideographs(c) != c,
           decomposed == c and strip(c) == "",
           len(split("q" + c + "q")) == 3, decomposed != c,
           decomposed == c and (moves or c in (LOW, HIGH)), lower(c) != c]
    return sum(bit << i for i, bit in enumerate(yes))


def runs(values):
    last = None
    for c, value in values:
        if value != last:
            yield c, value
        last = value


def lower_runs(mapped):
    """[first, last, step, difference], greedily."""
    out = []
    for c, to in mapped:
        if out:
            run = out[-1]
            step = c - run[1]
            if to - c == run[3] and step in (1, 2) and (run[0] == run[1] or run[2] == step):
                run[1], run[2] = c, step
                continue
        out.append([c, c, 1, to - c])
    return out


def rows(items, width):
    for i in range(0, len(items), width):
        print("    " + " ".join(items[i:i + width]))


def main():
    code_points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    all_flags = [(c, flags(chr(c))) for c in code_points]
    mapped = [(c, lower(chr(c))) for c, f in all_flags if f >> 7]
    several = [(c, to) for c, to in mapped if len(to) != 1]
    assert several == [(0x130, "i\u0307")], several
    print(f"/* wordpiece_unicode.h - what BERT's tokenizer takes each character for: the package tokenizers")
    print(f" * {tokenizers.__version__}, asked by tools/unicode_bert.py, which wrote this file. */")
    print("/* clang-format off */")
    print("enum {")
    for i, (flag, meaning) in enumerate(zip(FLAGS, MEANING)):
        print(f"    {flag} = {1 << i}, /* {meaning} */")
    print("};\n")
    print("static const uint8_t ascii[128] = {")
    rows([f"0x{f:02x}," for c, f in all_flags[:128]], 16)
    print("};\n")
    print("/* Characters from here on, up to the next entry's: character << 8 | flags. */")
    print("static const uint32_t runs[] = {")
    rows([f"0x{c << 8 | f:08x}," for c, f in runs(all_flags)], 8)
    print("};\n")
    print("/* Every step-th from first to last is in lower case so many characters away. U+0130 alone is two")
    print(" * there: U+0069 U+0307. */")
    print("static const struct lower_run {")
    print("    uint32_t first, last, step;")
    print("    int32_t difference;")
    print("} lower_runs[] = {")
    one = [(c, ord(to)) for c, to in mapped if len(to) == 1]
    rows([f"{{0x{a:04x}, 0x{b:04x}, {s}, {d}}}," for a, b, s, d in lower_runs(one)], 3)
    print("};\n/* clang-format on */")


main()
