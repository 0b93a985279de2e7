/* attention.c - dot attention over sequences of different lengths, with its weights; and its two
 * halves, attention weights and weighted sum, for one query per sequence. */
#include "example.h"

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_params *params; /* attention has no weights, but a tape stands over some parameters */
    ur_tape *tape;
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_params_new(context, &params, &err), err.text);
    check(ur_params_seal(params, &err), err.text);
    check(ur_tape_new(context, &tape, &err), err.text);

    /* Sequence 0 has three keys and two queries, sequence 1 one key and one query. */
    const size_t key_length[] = {3, 1}, query_length[] = {2, 1};
    const float keys[] = {1, 0, /**/ 0, 1, /**/ 1, 1, /* sequence 1: */ 5, 5};
    const float values[] = {10, 20, 30, /* sequence 1: */ 40};
    const float queries[] = {4, 0, /**/ 0, 4, /* sequence 1: */ 1, 2};

    ur_tape_start(tape, UR_INFER, params, NULL, 0, 0);
    const ur_layout *key_layout = ur_new_layout(tape, UR_STEP_MAJOR, 2, key_length, NULL);
    const ur_layout *query_layout = ur_new_layout(tape, UR_STEP_MAJOR, 2, query_length, NULL);
    ur_seq *k = ur_seq_floats(tape, key_layout, 2, keys, false);
    ur_seq *v = ur_seq_floats(tape, key_layout, 1, values, false);
    ur_seq *q = ur_seq_floats(tape, query_layout, 2, queries, false);
    ur_weights *weights = NULL;
    ur_seq *found = ur_attention_dot(tape, q, k, v, &weights);
    ur_tensor *last = ur_copy_floats(tape, 2, (size_t[]){2, 2}, queries + 2, false);
    ur_tensor *sum = ur_weighted_sum(tape, v, ur_attention_weights(tape, last, k));
    check(ur_tape_status(tape), ur_error(tape)); /* one check for all of them */

    for (size_t b = 0; b < 2; b++)
        for (size_t t = 0; t < query_length[b]; t++) {
            printf("sequence %zu, query %zu: weights", b, t);
            const float *p = weights->p + weights->offset[b] + t * key_length[b];
            for (size_t s = 0; s < key_length[b]; s++)
                printf(" %.3f", (double)p[s]);
            const float *row = ur_floats(found->values) + ur_row(query_layout, b, t);
            printf(", context %.3f\n", (double)*row);
        }
    printf("in halves: %.3f %.3f\n", (double)ur_floats(sum)[0], (double)ur_floats(sum)[1]);
    ur_tape_free(tape);
    ur_params_free(params);
    ur_context_free(context);
}
