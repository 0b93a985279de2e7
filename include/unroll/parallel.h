/* unroll/parallel.h - sentences of one language beside those of another: files of pairs, what their
 * sentences are read and written by, and the pairs as ids.
 *
 * A file of pairs is UTF-8, at most 1 GiB, with a line for each pair: the sentence, a tab, its
 * translation. A third column is passed over where all lines have one that begins with the same words
 * up to a `#`, as the attribution in the files of tatoeba.org does. Or two files have as many lines, one
 * sentence each. Or a file is one of values, see ur_reading. Lines end with LF, CR LF, or (in a file without any LF) CR. Spaces around sentences
 * are dropped, and the no-break spaces U+00A0 and U+202F are spaces. */
#ifndef UNROLL_PARALLEL_H
#define UNROLL_PARALLEL_H

#include "unroll/bpe.h"
#include "unroll/core.h"
#include "unroll/corpus.h"
#include "unroll/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How sentences become ids: part of a model's configuration. */
typedef struct ur_parallel_options {
    ur_text_options text; /* without line_ends and letters_only */
    size_t merges;        /* byte pair encoding: so many are learned, at most; 0: none */
    const char *codes;    /* a file of merges (ur_bpe_load) for both languages in place of learning
                             them; NULL: none */
    bool joint;           /* both languages have the same merges and the same vocabulary */
    size_t min_freq, max_size; /* of each vocabulary, see ur_vocabulary_options */
    size_t threshold;   /* parts of words that come up less often are cut again; 0: none are */
    size_t max_length;  /* of a sentence, in tokens; 0: any */
    ur_reading reading; /* its columns alone: of a file of values */
} ur_parallel_options;

/* Of the pairs this part (above 0, below 1) is to validate with: drawn by the seed, equal source sentences
 * on one side, both sides in their order. */
typedef struct ur_valid_part {
    double part;
    uint64_t seed;
} ur_valid_part;

/* UR_INVALID: options that do not go together (merges of characters). */
ur_status ur_parallel_check(const ur_parallel_options *options, ur_err *err);

/* What two languages are read and written by. The caller frees all of it. */
typedef struct ur_languages {
    ur_vocabulary *source;
    ur_vocabulary *target; /* NULL: the source's, too */
    ur_bpe *source_bpe;    /* NULL: there are no merges */
    ur_bpe *target_bpe;    /* NULL: the source's, too, where there are any */
} ur_languages;
void ur_languages_free(ur_languages *languages);
/* One side; side: 0 the source, 1 the target. */
ur_subwords ur_languages_side(const ur_languages *languages, const ur_text_options *text, int side);

/* Pairs of sentences as ids, without symbols for beginning and end. */
typedef struct ur_parallel ur_parallel;

/* ur_parallel_learn reads pairs to train with and finds out the languages: vocabularies begin with
 * <unk>, <bos> and <eos>. ur_parallel_open reads pairs for languages that are there; training: longer
 * sentences than max_length are left out with their pairs, else they are cut. data: a file's path, or
 * those of two files with a tab between them. In training pairs with an empty side are left out, too. apart (or
 * NULL: nothing): what is set apart into *valid, of which nothing is learned; NULL where all sources are the
 * same. valid may be NULL where apart is.
 *
 * UR_BAD_FILE, with the line's number: one column, or three that are no attribution, or more; invalid
 * UTF-8, a zero byte; a word longer than UR_TOKEN_LONGEST. Without a line: files of different lengths; no
 * pair that can be used, or none on one side; a file of merges that does not fit (none of
 * its merges comes up). UR_INVALID: ur_parallel_check. */
ur_status ur_parallel_learn(const ur_allocator *a, const char *data,
                            const ur_parallel_options *options, const ur_valid_part *apart,
                            ur_parallel **train, ur_parallel **valid, ur_languages *languages,
                            ur_err *err);
ur_status ur_parallel_open(const ur_allocator *a, const char *data,
                           const ur_parallel_options *options, const ur_languages *languages,
                           bool training, const ur_valid_part *apart, ur_parallel **out,
                           ur_parallel **valid, ur_err *err);
void ur_parallel_free(ur_parallel *pairs); /* accepts NULL */

size_t ur_parallel_count(const ur_parallel *pairs);
/* Pair `index`: side 0 is the source, 1 the target. Valid as long as the pairs; of other pairs and sides there
 * is nothing. */
ur_ids ur_parallel_ids(const ur_parallel *pairs, size_t index, int side);
const char *ur_parallel_text(const ur_parallel *pairs, size_t index, int side);

/* What was done to the data. */
typedef struct ur_parallel_notes {
    size_t empty, left_out,
        cut;           /* pairs with an empty side, pairs and sentences that were too long */
    size_t unknown[2]; /* tokens of the two sides that are <unk> */
    size_t tokens[2];
    bool attribution; /* there was a third column */
} ur_parallel_notes;
const ur_parallel_notes *ur_parallel_noted(const ur_parallel *pairs);
/* Sentence i about the form of the file; NULL behind the last. */
const char *ur_parallel_remark(const ur_parallel *pairs, size_t i);

#ifdef __cplusplus
}
#endif

#endif
