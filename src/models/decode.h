/* decode.h - inside decoding: the search, the choice of one symbol, states of hypotheses. */
#ifndef UR_MODELS_DECODE_H
#define UR_MODELS_DECODE_H

#include "base/philox.h"
#include "base/tiny.h"
#include "tape/tape.h"
#include "unroll/decode.h"
#include "unroll/nn.h"

/* ---- the search (decode.c) ---------------------------------------------------------------- */

/* ur_search; without probabilities a greedy search leaves them out, and the scores. */
ur_written *ur_search_with(ur_tape *tape, const ur_decoder *decoder, const ur_sources *sources,
                           const ur_search_options *options, bool probabilities);

/* ---- one symbol from its logits (decode_choice.c) ------------------------------------------ */

/* The index of a number that is not finite; n where all are. */
size_t ur_not_finite(const ur_context *context, size_t n, const float *x);

/* The largest number of each UR_PEAK_SPAN of a row without NaN: what is looked for in the row is looked
 * for there first. */
enum { UR_PEAK_SPAN = UR_SIZE(128, 8) };
typedef struct ur_peaks {
    const ur_context *context;
    size_t n, count;
    float *most; /* (count) */
} ur_peaks;
ur_peaks ur_peaks_new(ur_tape *tape, size_t n);
void ur_peaks_find(const ur_peaks *p, const float *x);
/* x[i] has become smaller. */
void ur_peaks_lowered(const ur_peaks *p, const float *x, size_t i);
/* The first of the largest. */
size_t ur_peaks_best(const ur_peaks *p, const float *x);

/* -log softmax(x)[i] = log_total - (x[i] - most), the bits of cross-entropy. */
typedef struct ur_costs {
    float most, log_total;
} ur_costs;
/* best: where the largest number stands. */
ur_costs ur_costs_of(const ur_context *context, size_t n, const float *x, size_t best);

static inline float ur_cost(ur_costs costs, float x)
{
    return costs.log_total - (x - costs.most);
}

/* Sets the logits of the symbols that are never written to -inf. */
void ur_rule_out(const ur_search_options *options, float *logits);

/* Whether these are symbols of the vocabulary; *bad receives the first that is none. */
bool ur_are_symbols(size_t vocabulary, const int32_t *ids, size_t count, int32_t *bad);

/* The stream of random numbers of a source. */
ur_random ur_choice_random(uint64_t seed, uint64_t source);

/* What drawing needs beside the options. */
typedef struct ur_chooser {
    size_t vocabulary;
    float *weight;  /* (vocabulary) */
    int32_t *order; /* (vocabulary) */
} ur_chooser;
ur_chooser ur_chooser_new(ur_tape *tape, const ur_search_options *options, size_t vocabulary);

/* The most probable symbol, or one that is drawn; -inf is never chosen where anything else is. */
size_t ur_choose(const ur_chooser *chooser, const ur_search_options *options, ur_random *random,
                 const float *logits);

/* ---- hypotheses and their recurrent states (decode_states.c) ---------------------------------- */

/* The open hypotheses of the sources, those of a source side by side, one of each at first. Attention
 * takes those of a source as the queries of one sequence. */
typedef struct ur_hypotheses {
    size_t sources, rows;
    size_t *source;           /* (rows) of each hypothesis */
    size_t *count;            /* (sources) hypotheses of each */
    const ur_layout *queries; /* of a step, on the tape; NULL: not asked for yet */
} ur_hypotheses;

/* On the tape, with room for task->hypotheses of each source. */
ur_hypotheses ur_hypotheses_new(ur_tape *tape, const ur_decoder_task *task);
/* This step's h->queries, made on the tape. */
const ur_layout *ur_hypotheses_queries(ur_tape *tape, ur_hypotheses *h);
/* As ur_decoder.reorder says. */
void ur_hypotheses_reorder(ur_hypotheses *h, size_t rows, const size_t *parent);
/* Row `row` of the step's weights, which have one head: as ur_decoder.attention says. */
const float *ur_hypotheses_attention(const ur_hypotheses *h, const ur_weights *weights, size_t row);

/* States (N, rows, ..) of a stack in one direction, zeros, in memory for `most` rows. */
ur_state ur_states_new(ur_tape *tape, const ur_rnn_stack *stack, size_t rows, size_t most);

/* Row i becomes row parent[i] of `from`; parent NULL: row i. Where `from` has no c, c becomes zero. */
void ur_states_take(ur_tape *tape, ur_state *to, ur_state from, size_t rows, const size_t *parent);

/* One step of each row. */
const ur_seq *ur_one_step_ids(ur_tape *tape, size_t rows, const int32_t *ids);

/* The tensor of another sequence of as many rows under this layout. */
ur_seq *ur_seq_as(ur_tape *tape, const ur_seq *x, const ur_layout *layout);

#endif
