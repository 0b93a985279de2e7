#!/usr/bin/env python3
"""Makes every file of tests/golden again: PYTHON tools/golden/make_all.py (torch, numpy)."""
import glob
import os

import attention
import language_model
import bert
import bert_heads
import bert_pretraining
import bert_qa
import language_transformer
import cells
import embedder
import layers
import list_files
import next_words
import optimizers
import rnn
import tagger
import transformer
import translation
import translator
from common import FOLDER


def main():
    for old in glob.glob(os.path.join(FOLDER, "*.safetensors")):
        os.remove(old)
    layers.main()
    attention.main()
    optimizers.main()
    rnn.main()
    tagger.main()
    cells.main()
    transformer.main()
    bert.main()
    bert_heads.main()
    bert_pretraining.main()
    bert_qa.main()
    embedder.main()
    translator.main()
    translation.main()
    next_words.main()
    language_model.main()
    language_transformer.main()
    list_files.main()


if __name__ == "__main__":
    main()
