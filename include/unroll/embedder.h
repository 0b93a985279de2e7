/* unroll/embedder.h - texts as vectors, by a published BERT: a folder of Hugging Face's (config.json,
 * model.safetensors, vocab.txt) or of sentence-transformers, whose modules say how. */
#ifndef UNROLL_EMBEDDER_H
#define UNROLL_EMBEDDER_H

#include "unroll/bert.h"
#include "unroll/core.h"
#include "unroll/wordpiece.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ur_embedder ur_embedder;

/* All zero: as the folder says. */
typedef struct ur_embedder_options {
    /* What of the last layer's outputs of a text makes its vector, one of ur_embedder_pool_name. NULL: what
     * the folder's Pooling says, and the mean where it has none, as in sentence-transformers. */
    const char *pool;
    bool normalise; /* vectors of length 1, also where the folder has no Normalize */
    const char *
        prompt; /* the name of a prompt of config_sentence_transformers.json, which is put before each
                           text. NULL: default_prompt_name, or none */
} ur_embedder_options;

/* The ways of pooling: number i of them, NULL behind the last. cls, max and mean over a text's pieces
 * ([CLS] and [SEP] among them), and what else sentence-transformers has. */
const char *ur_embedder_pool_name(size_t i);

/* Reads config.json, model.safetensors and vocab.txt, and where they are there tokenizer_config.json,
 * modules.json with the configurations of its modules, sentence_bert_config.json and
 * config_sentence_transformers.json. UR_BAD_FILE: what is not there or not as it should be; UR_UNSUPPORTED:
 * another kind of model, modules other than Transformer, Pooling and Normalize, weights in several
 * files or of PyTorch's own form; UR_INVALID: no such pooling, no such prompt. options may be NULL. */
ur_status ur_embedder_open(ur_context *context, const char *folder,
                           const ur_embedder_options *options, ur_embedder **out, ur_err *err);
void ur_embedder_free(ur_embedder *embedder); /* accepts NULL */

size_t ur_embedder_width(const ur_embedder *embedder);   /* floats of a vector */
size_t ur_embedder_longest(const ur_embedder *embedder); /* pieces of a text that are read */
const ur_model *ur_embedder_model(const ur_embedder *embedder);
const ur_wordpiece *ur_embedder_wordpiece(const ur_embedder *embedder);
/* Sentence i about what opening the folder found; NULL behind the last. */
const char *ur_embedder_remark(const ur_embedder *embedder, size_t i);

/* vectors (count, ur_embedder_width): of each text, which share the context's threads. A text's vector
 * depends on the text alone, to the last bit. The end of a text that is too long is not read; cut (may be
 * NULL) receives how many such texts there were. UR_BAD_FILE: a text that is not UTF-8, its index in *bad
 * (may be NULL). sentence_transformers.SentenceTransformer.encode. */
ur_status ur_embedder_apply(ur_embedder *embedder, size_t count, const char *const *texts,
                            float *vectors, size_t *cut, size_t *bad, ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
