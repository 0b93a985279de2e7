/* unroll.h - everything public: sequence models trained and run in C.
 *
 *   core      errors, memory, tensors, ragged sequences, parameters, the tape
 *   io        weights in safetensors files, pictures
 *   nn        layers and losses
 *   text      UTF-8, vocabularies, pairs of questions and answers
 *   bpe       words cut into parts
 *   wordpiece  BERT's tokenizer
 *   bleu      how good translations are
 *   corpus    tokenizers, whole texts, texts with labels
 *   parallel  sentences of two languages
 *   field     configuration structs, member by member
 *   model     kinds of models, and models of these
 *   seq2seq   encoder-decoders
 *   language  language models, and models of the next word
 *   tagger    models that give labels to tokens or texts
 *   translation  models that translate
 *   bert      BERT
 *   bert_heads  BERT that labels texts, pairs of texts and words
 *   decode    decoders, and the search for what they write
 *   transformer  Transformers, and their decoding step by step
 *   train     weights in files, optimisers and the trainer
 *   run       run folders
 *   embedder  texts as vectors, by published folders of BERT
 *   filler    masked words of texts, likewise */
#ifndef UNROLL_H
#define UNROLL_H

#include "unroll/bert.h"
#include "unroll/bert_heads.h"
#include "unroll/bleu.h"
#include "unroll/bpe.h"
#include "unroll/core.h"
#include "unroll/corpus.h"
#include "unroll/decode.h"
#include "unroll/embedder.h"
#include "unroll/field.h"
#include "unroll/filler.h"
#include "unroll/io.h"
#include "unroll/language.h"
#include "unroll/model.h"
#include "unroll/nn.h"
#include "unroll/parallel.h"
#include "unroll/run.h"
#include "unroll/seq2seq.h"
#include "unroll/tagger.h"
#include "unroll/text.h"
#include "unroll/train.h"
#include "unroll/transformer.h"
#include "unroll/translation.h"
#include "unroll/wordpiece.h"

#endif
