/* sentences.h - a text with a paragraph on each line as sentences of pieces of words; and the pairs and
 * masked words that BERT is pretrained with. */
#ifndef UR_DATA_SENTENCES_H
#define UR_DATA_SENTENCES_H

#include "text/wordpiece.h"
#include "unroll/text.h"

/* ---- where sentences end ---------------------------------------------------------------------- */

/* One of UR_SENTENCES_...: bytes of the first sentence of a text, without white space around it, from
 * *begin on; *next becomes where the rest of the text begins. 0: there is none. */
size_t ur_sentence_next(int how, const char *text, size_t bytes, size_t *begin, size_t *next);

/* The words of a file, for ur_wordpiece_learn; to be released with ur_free (the array) and
 * ur_vocabulary_free. plain: a tokenizer that knows special tokens alone. */
ur_status ur_sentences_words(const ur_allocator *a, const char *path, const ur_wordpiece *plain,
                             ur_vocabulary **words, ur_word_count **counts, size_t *n, ur_err *err);

/* ---- sentences -------------------------------------------------------------------------------- */

/* Ids of sentences, paragraph by paragraph; paragraphs of fewer than two sentences are not in it. */
typedef struct ur_sentences {
    const ur_allocator *a;
    int32_t *ids;      /* (used) one sentence after the other */
    size_t *begin;     /* (count + 1) of each sentence in ids */
    size_t *paragraph; /* (paragraphs + 1) the number of each one's first sentence */
    size_t used, count, paragraphs;
    size_t capacity, begin_capacity, paragraph_capacity;
} ur_sentences;

/* All of a file's; UR_BAD_FILE: no paragraph has two sentences. To be freed whatever it returns. */
ur_status ur_sentences_read(const ur_allocator *a, const char *path, const ur_wordpiece *wordpiece,
                            int how, ur_sentences *out, ur_err *err);
void ur_sentences_free(ur_sentences *sentences);
/* Takes about `part` of the paragraphs out of *data into *valid, as ur_split_choose says: equal ones go to one
 * side, both keep their order. After a failure *data is as it was, and there is no *valid. */
ur_status ur_sentences_split(ur_sentences *data, double part, uint64_t seed, ur_sentences *valid,
                             ur_err *err);

/* Adds a sentence to the last paragraph, which was begun by ur_sentences_paragraph. False without memory. */
bool ur_sentences_add(ur_sentences *sentences, const int32_t *ids, size_t count);
bool ur_sentences_paragraph(ur_sentences *sentences);

static inline size_t ur_sentence_length(const ur_sentences *s, size_t i)
{
    return s->begin[i + 1] - s->begin[i];
}

/* ---- what is drawn of them --------------------------------------------------------------------- */

/* [CLS] first [SEP] second [SEP], with masks. */
typedef struct ur_masked_pair {
    size_t first, second, n_first, n_second; /* in ids */
    size_t masks, n_masks;                   /* in ur_masked_pairs.at and shown */
    bool follows;                            /* the second stood behind the first */
} ur_masked_pair;

typedef struct ur_masking {
    size_t most;     /* pieces of an input */
    double masked;   /* part of them that is to be told */
    int32_t mask;    /* the id of [MASK] */
    size_t tokens;   /* of the vocabulary */
    const bool *may; /* (tokens) which stand for others: all but special ones */
} ur_masking;

typedef struct ur_masked_pairs {
    const ur_allocator *a;
    const int32_t *ids; /* that the pairs are in: not its own */
    ur_masked_pair *pair;
    size_t *order; /* (count) in which they are taken */
    size_t count;
    uint32_t *at;   /* of each mask, where in the input it stands, rising in a pair; and */
    int32_t *shown; /* what stands there instead */
    size_t *scratch;
} ur_masked_pairs;

/* Room for what any epoch draws. *too_long: how many of the text's own pairs are longer than `most`, of
 * *all of them. To be freed whatever it returns. */
ur_status ur_masked_pairs_new(const ur_sentences *sentences, const ur_masking *masking,
                              ur_masked_pairs *out, size_t *too_long, size_t *all, ur_err *err);
void ur_masked_pairs_free(ur_masked_pairs *pairs);

/* Draws an epoch's pairs: each sentence with the next one of its paragraph, or in half of the cases with any
 * one of another paragraph; what has over `most` pieces is left out. In each, of n pieces with the special
 * ones, masked n (rounded half to even, at least one) other than special ones are to be told: 8 of 10 are
 * [MASK], 1 of 10 a token drawn from the vocabulary, 1 of 10 itself. (Devlin et al. 2019, section
 * 3.1.) */
void ur_masked_pairs_draw(ur_masked_pairs *pairs, const ur_sentences *sentences,
                          const ur_masking *masking, uint64_t seed, uint64_t stream);

static inline const ur_masked_pair *ur_masked_pair_at(const ur_masked_pairs *p, size_t i)
{
    return &p->pair[p->order[i]];
}

static inline size_t ur_masked_pair_length(const ur_masked_pair *p)
{
    return p->n_first + p->n_second + 3;
}

/* What stands at a place of the input that is no special token's. */
static inline int32_t ur_masked_pair_word(const ur_masked_pairs *all, const ur_masked_pair *p,
                                          size_t at)
{
    return all->ids[at <= p->n_first ? p->first + at - 1 : p->second + at - p->n_first - 2];
}

#endif
