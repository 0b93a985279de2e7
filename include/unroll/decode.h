/* unroll/decode.h - models that write, one symbol after another: the interface of their decoders, and
 * the search that serves them all (the most probable symbol, drawn symbols, beam search).
 *
 * Terms. A source is what an answer is written for: a question, or a prompt that is to go on. A
 * hypothesis is what was written for a source so far. The rows of a step are the open hypotheses of
 * all sources, those of a source side by side, in the order of the sources. */
#ifndef UNROLL_DECODE_H
#define UNROLL_DECODE_H

#include "unroll/core.h"
#include "unroll/field.h"
#include "unroll/text.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ur_model ur_model; /* unroll/model.h */

/* ---- decoders ------------------------------------------------------------------------------- */

typedef struct ur_sources {
    size_t count;
    const ur_ids *ids;    /* (count) in reading order */
    const int32_t *first; /* (count) what the decoder is fed with first; NULL: as it was trained */
    const ur_ids *begin;  /* (count) what the answers begin with; NULL: nothing is given */
    const uint64_t *id;   /* (count) a number that names the source, see ur_search_options.seed;
                             NULL: 0, 1, 2 ... */
} ur_sources;

/* What a decoder is started for. */
typedef struct ur_decoder_task {
    const ur_sources *sources;
    size_t hypotheses; /* of one source, at most */
    size_t steps;      /* at most; SIZE_MAX: nobody knows */
    bool attention;    /* whether `attention` will be asked */
} ur_decoder_task;

/* A decoder: functions over a state that only they look into. All but `release` run on an inference
 * tape that was started over the model's parameters, and fail by failing it; after that only
 * `release` is called. What `start` leaves on the tape stays until `release`; what `step` and `read`
 * leave there is gone after the `reorder` that follows. The caller goes in this order:
 *     start   { step, attention of any rows, reorder } ...   release
 * or `read` in place of a step and its reorder. ur_model_decoder makes one for a model. */
typedef struct ur_decoder ur_decoder;
struct ur_decoder {
    const void *self;  /* what `start` needs, such as the model */
    size_t vocabulary; /* symbols */
    int32_t end;       /* the symbol that ends an answer; -1: none does */
    size_t steps;      /* an answer has at most so many, an end symbol's included; 0: any number */

    /* The state of one open hypothesis per source. symbols (sources): receives what the first step
     * is to be fed with. NULL when the tape failed, which then holds no state. */
    void *(*start)(ur_tape *tape, const ur_decoder *decoder, const ur_decoder_task *task,
                   int32_t *symbols);

    /* Feeds each open hypothesis with its last symbol: logits (rows, vocabulary) of its next one,
     * which the caller may overwrite. A row must not depend on which others stand beside it. */
    ur_tensor *(*step)(ur_tape *tape, void *state, const int32_t *symbols);

    /* What lives on after a step: row i of the new state is row parent[i] of the old one. parent
     * never falls from one source to an earlier one; a source may be left out, never come back, and
     * never gets more rows than ur_decoder_task.hypotheses. */
    void (*reorder)(ur_tape *tape, void *state, size_t rows, const size_t *parent);

    /* The rest may be NULL. */

    /* Steps that the answer to this source has at most, where it is not `steps` alone; at least 1. */
    size_t (*limit)(const ur_decoder *decoder, ur_ids source);
    /* Feeds the only open hypothesis with several symbols, as as many steps would. */
    void (*read)(ur_tape *tape, void *state, ur_ids ids);
    /* Where row `row` looked in the last step: a weight for each position of its source, in the
     * order in which the decoder has them. NULL: there is no attention to show. */
    const float *(*attention)(const void *state, size_t row);
    void (*release)(void *state);
};

/* The decoder of a model, which must outlive it. UR_UNSUPPORTED: the model does not write. */
ur_status ur_model_decoder(const ur_model *model, ur_decoder *out, ur_err *err);

/* ---- search --------------------------------------------------------------------------------- */

enum { UR_MOST_HYPOTHESES = 4096 }; /* of one source */

/* Length penalties. These are their numbers in the list; ur_penalty_name(i) is NULL behind the last. */
enum { UR_PENALTY_WU, UR_PENALTY_CTRANSLATE2 };
const char *ur_penalty_name(size_t i);

/* How answers are searched for; all zero: greedily.
 *
 * temperature 0, beam 1: the symbol with the largest logit (of equals the one with the lowest id).
 *
 * temperature > 0: logits are divided by it; top_k (0: all) keeps the k largest; top_p (0 or 1: all)
 * keeps of those the most probable ones until their probabilities reach top_p (Holtzman et al. 2020);
 * and one is drawn. Each source draws from its own stream of random numbers, a function of seed and
 * the source's number: the same symbols on every machine, whatever sources stand beside it.
 *
 * beam > 1: each step keeps of all continuations of a source's open hypotheses the `beam` most
 * probable ones (of equals that of the better hypothesis, then the larger logit, then the lower id).
 * Those that end are set aside, the others stay open. The search for a source is over when no
 * hypothesis is open, or when n_best have ended and no open one can score higher than the worst of
 * them. The score of Y is log P(Y) / lp(Y), where (Wu et al. 2016, equation 14)
 *     lp(Y) = (5 + |Y|)^a / (5 + 1)^a,   |Y| = its symbols, the end symbol included
 * or, with UR_PENALTY_CTRANSLATE2, lp(Y) = |Y|^a. A beam of 1 is the greedy search, whatever a. */
typedef struct ur_search_options {
    float temperature;    /* 0 to 1e6 */
    size_t top_k;         /* 0: all */
    float top_p;          /* 0 to 1 */
    uint64_t seed;        /* of what is drawn */
    size_t beam;          /* 0: 1; at most UR_MOST_HYPOTHESES. More than 1 draws nothing */
    size_t n_best;        /* answers that are wanted, at most beam; 0: 1 */
    float length_penalty; /* a, 0 to 4; 0: none */
    int penalty;          /* which: UR_PENALTY_WU ... */
    size_t least;         /* symbols that an answer has before it may end */
    size_t most;          /* steps, that of the end symbol included; 0: the decoder's limit, which
                             also holds where it is smaller */
    const int32_t *never; /* (never_count) symbols that are not written */
    size_t never_count;
    const int32_t *end; /* the symbol that ends an answer, -1 for none; NULL: the decoder's */
    bool attention;     /* whether hypotheses show theirs */
    const char *begin;  /* what the answers to texts begin with (ur_run_predict, of kinds with
                           ur_kind.begins): a text, NULL for none. ur_search takes ur_sources.begin */
    bool maps;          /* whether predictions have ur_prediction.maps, for which the answer is
                           computed once more, as a whole */
} ur_search_options;

/* Whether the options are in range and go together: UR_INVALID with the reason. */
ur_status ur_search_check(const ur_search_options *options, ur_err *err);

/* Its members that have a value by themselves: what a command line or a dialogue asks for. */
const ur_field *ur_search_fields(void);

/* What was written, in the order in which it was. Probabilities are the model's, whatever the choice
 * made of them. */
typedef struct ur_hypothesis {
    int32_t *ids; /* (count) without the end symbol */
    size_t count;
    bool complete;          /* the end symbol came; false: stopped by the limit */
    float *probability;     /* (count) of each symbol when it was chosen, and where complete, behind
                               them, of the end symbol */
    float *attention;       /* (count, length of the source), as ur_decoder.attention has them; NULL
                               unless asked for, and where the decoder has none */
    double log_probability; /* of the whole, its end symbol included */
    double score;
} ur_hypothesis;

/* The best hypotheses of a source: complete ones first, by falling score, of equals the one that
 * ended first; then, where these are fewer than asked for, those that the limit stopped. At least
 * one; fewer than n_best where the search found no more. */
typedef struct ur_written {
    size_t count;
    ur_hypothesis *best;
} ur_written;

/* Searches for all sources at a time; finished ones leave the batch. What is written for a source is
 * the same, to the bit, whatever others stand beside it. (sources->count) results, which live on the
 * tape; NULL when it failed. UR_INVALID: options (ur_search_check), symbols that are not in the
 * vocabulary, no limit, a tape for training, every symbol ruled out. UR_DIVERGED: a logit is not
 * finite. */
ur_written *ur_search(ur_tape *tape, const ur_decoder *decoder, const ur_sources *sources,
                      const ur_search_options *options /* NULL: greedily */);

/* What a language model (any model with a decoder) writes after each of `count` prompts of at least
 * one token: ur_search with its decoder. For a language model options->most says how many tokens. */
ur_written *ur_generate(ur_tape *tape, const ur_model *model, size_t count, const ur_ids *prompts,
                        const ur_search_options *options);

/* ---- one token at a time -------------------------------------------------------------------- */

/* A model that writes on: it reads tokens, then chooses one, reads that, and so forth. The model
 * must outlive the generator and not change meanwhile. What ur_search draws for source 0 with the
 * same options, a generator draws. */
typedef struct ur_generator ur_generator;

/* options: temperature, top_k, top_p, seed and never; NULL: the most probable token. UR_INVALID:
 * options out of range, or others than these. UR_UNSUPPORTED: the model does not write. */
ur_status ur_generator_new(ur_context *context, const ur_model *model,
                           const ur_search_options *options, ur_generator **out, ur_err *err);
void ur_generator_free(ur_generator *generator);

/* Reads a prompt, or more of it. UR_INVALID for an id that is not in the vocabulary; nothing was read
 * then. After any other failure the generator is of no further use. */
ur_status ur_generator_read(ur_generator *generator, ur_ids ids, ur_err *err);

/* Chooses the token after what was read, and reads it. log_probability (or NULL): what the model gave
 * it, whatever the choice made of that. UR_INVALID while nothing was read. UR_DIVERGED: a logit is
 * not finite. */
ur_status ur_generator_write(ur_generator *generator, int32_t *id, double *log_probability,
                             ur_err *err);

/* The logits of the token to come (vocabulary), NULL while nothing was read. */
const float *ur_generator_logits(const ur_generator *generator);

#ifdef __cplusplus
}
#endif

#endif
