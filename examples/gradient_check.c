/* gradient_check.c - a loss of one's own, its backward compared with finite differences. */
#include "example.h"

typedef struct net {
    ur_embedding_layer embed;
    ur_lstm_layer lstm;
    ur_linear_layer fc;
} net;

/* The loss of two sequences of symbols, each position naming the next symbol. */
static ur_tensor *loss(ur_tape *tape, void *user)
{
    static const size_t length[] = {4, 2};
    static const int32_t input[] = {0, 1, 2, 1, /* sequence 1: */ 2, 0};
    static const int32_t next[] = {1, 2, 1, 0, /* sequence 1: */ 0, UR_IGNORE};
    const net *n = user;
    const ur_layout *layout = ur_new_layout(tape, UR_STEP_MAJOR, 2, length, NULL);
    ur_seq *x = ur_embedding(tape, &n->embed, ur_seq_ints(tape, layout, input));
    ur_seq *y = ur_lstm(tape, &n->lstm, x, (ur_state){0}).y;
    ur_seq *logits = ur_linear_seq(tape, &n->fc, y);
    return ur_cross_entropy(tape, logits, ur_seq_ints(tape, layout, next), 5);
}

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_params *params;
    ur_tape *tape;
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_params_new(context, &params, &err), err.text);
    net n = {ur_embedding_add(params, "embed", 3, 4), ur_lstm_add(params, "lstm", 4, 6),
             ur_linear_add(params, "fc", 6, 3, true)};
    check(ur_params_seal(params, &err), err.text);
    check(ur_tape_new(context, &tape, &err), err.text);
    ur_embedding_init(&n.embed, params, 1);
    ur_lstm_init(&n.lstm, params, 1);
    ur_linear_init(&n.fc, params, 1);

    double worst;
    check(ur_gradient_check(tape, params, loss, &n, 0, &worst, &err), err.text);
    printf("%zu weights, largest error of a gradient %.1e\n", ur_params_weights(params), worst);
    ur_tape_free(tape);
    ur_params_free(params);
    ur_context_free(context);
    return worst < 2e-3 ? 0 : 1; /* in float, differences themselves are off by about 1e-3 */
}
