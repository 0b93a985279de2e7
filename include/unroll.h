/* unroll.h - everything public: sequence models trained and run in C.
 *
 *   core    errors, memory, tensors, ragged sequences, parameters, the tape
 *   io      weights in safetensors files
 *   nn      layers and losses
 *   text    UTF-8, vocabularies, pairs of questions and answers
 *   corpus  tokenizers, whole texts, texts with labels
 *   decode  models that write: decoders, greedy, drawn and beam search
 *   models  whole models, saved and loaded
 *   tagger  models that give labels to tokens or texts
 *   train   optimisers and the trainer */
#ifndef UNROLL_H
#define UNROLL_H

#include "unroll/core.h"
#include "unroll/corpus.h"
#include "unroll/decode.h"
#include "unroll/io.h"
#include "unroll/models.h"
#include "unroll/nn.h"
#include "unroll/tagger.h"
#include "unroll/text.h"
#include "unroll/train.h"

#endif
