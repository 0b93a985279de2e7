/* test_odd_layers.c - core.h, nn.h and transformer.h with odd arguments (odd.h). */
#include "api/odd.h"

enum { WIDTH = 4, UNITS = 3, WORDS = 10, ROWS = 5 };

/* Layers of everything, sealed, with a tape over their parameters. */
typedef struct zoo {
    ur_context *context;
    ur_params *params, *made;
    float *gradient;
    ur_tape *tape;
    bool taped;
    ur_embedding_layer embedding;
    ur_positions_layer positions;
    ur_sine_positions *sines;
    ur_linear_layer linear, first, second;
    ur_layer_norm_layer norm;
    ur_cell_layer lstm, gru;
    ur_rnn_stack *stack;
    ur_additive_attention_layer additive;
    ur_multi_head_layer heads;
    ur_transformer *both;
    ur_stream *stream;
    ur_carry *carry;
    ur_step_cache *cache;
    const ur_layout *layout;
} zoo;

static zoo z;

static void fine(ur_status status, const ur_err *err)
{
    if (status != UR_OK)
        fail_msg("%s", err->text);
}

static void make_zoo(void)
{
    ur_err err = {UR_OK, ""};
    const ur_options options = {.allocator = &odd.allocator, .threads = 1};
    const ur_transformer_config transformer = {.d_model = WIDTH, .nhead = 2, .dim_feedforward = 6};
    fine(ur_context_new(&options, &z.context, &err), &err);
    fine(ur_params_new(z.context, &z.params, &err), &err);
    z.embedding = ur_embedding_add(z.params, "embed", WORDS, WIDTH);
    z.positions = ur_positions_add(z.params, "positions", 8, WIDTH);
    z.linear = ur_linear_add(z.params, "linear", WIDTH, WIDTH, true);
    z.first = ur_linear_add(z.params, "first", WIDTH, 6, true);
    z.second = ur_linear_add(z.params, "second", 6, WIDTH, true);
    z.norm = ur_layer_norm_add(z.params, "norm", WIDTH, 1e-5f, true, true);
    z.lstm = ur_lstm_add(z.params, "lstm", WIDTH, UNITS);
    z.gru = ur_gru_add(z.params, "gru", WIDTH, UNITS);
    z.stack = calloc(1, sizeof *z.stack);
    z.both = calloc(1, sizeof *z.both);
    assert_true(z.stack && z.both);
    fine(ur_rnn_add(z.params, "rnn",
                    &(ur_rnn_config){.cell = "lstm", .input_size = WIDTH, .hidden_size = UNITS},
                    z.stack, &err),
         &err);
    z.additive = ur_additive_attention_add(z.params, "additive", WIDTH, WIDTH, UNITS, 0.0f);
    fine(ur_multi_head_attention_add(z.params, "heads",
                                     &(ur_multi_head_config){.embed_dim = WIDTH, .num_heads = 2},
                                     &z.heads, &err),
         &err);
    fine(ur_transformer_add(z.params, "transformer", &transformer, 1, 1, z.both, &err), &err);
    fine(ur_params_seal(z.params, &err), &err);
    fine(ur_sine_positions_new(z.context, 8, WIDTH, &z.sines, &err), &err);
    fine(ur_tape_new(z.context, &z.tape, &err), &err);
    fine(ur_stream_new(z.context, z.params, z.stack, 2, &z.stream, &err), &err);
    fine(ur_carry_new(z.context, z.stack, 3, &z.carry, &err), &err);
    z.gradient = calloc(ur_params_size(z.params), sizeof *z.gradient);
    assert_non_null(z.gradient);
}

static void free_zoo(void)
{
    ur_carry_free(z.carry);
    ur_stream_free(z.stream);
    ur_tape_free(z.tape);
    ur_sine_positions_free(z.sines);
    ur_params_free(z.params);
    ur_context_free(z.context);
    free(z.gradient);
    free(z.stack);
    free(z.both);
    assert_int_equal(odd.bytes, 0);
}

/* ---- what a call is given --------------------------------------------------------------------------- */

static void fresh(void)
{
    static const size_t length[] = {3, 0, 2};
    z.taped = false;
    z.made = NULL;
    z.cache = NULL;
    ur_tape_start(z.tape, UR_TRAIN, z.params, z.gradient, 1, 2);
    z.layout = ur_new_layout(z.tape, UR_STEP_MAJOR, 3, length, NULL);
    assert_non_null(z.layout);
}

static void stale(void)
{
    if (z.made && odd.outcome == ODD_NOTHING_SAID)
        said(ur_params_seal(z.made, &odd.err));
    if (z.taped && odd.outcome == ODD_NOTHING_SAID) {
        said(ur_tape_status(z.tape));
        odd.err = (ur_err){ur_tape_status(z.tape), ""};
        snprintf(odd.err.text, sizeof odd.err.text, "%s", ur_error(z.tape));
    }
    ur_step_cache_free(z.cache);
    ur_params_free(z.made);
}

static ur_tape *taped(void)
{
    z.taped = true;
    return z.tape;
}

/* For inference. */
static ur_tape *reading(void)
{
    static const size_t length[] = {3, 0, 2};
    z.taped = true;
    ur_tape_start(z.tape, UR_INFER, z.params, NULL, 1, 2);
    z.layout = ur_new_layout(z.tape, UR_STEP_MAJOR, 3, length, NULL);
    return z.tape;
}

static ur_params *new_params(void)
{
    if (!z.made)
        fine(ur_params_new(z.context, &z.made, &odd.err), &odd.err);
    return z.made;
}

static ur_step_cache *new_cache(void)
{
    if (!z.cache)
        fine(ur_step_cache_new(z.context, 1, WIDTH, 3, &z.cache, &odd.err), &odd.err);
    return z.cache;
}

static const size_t *dims(size_t a, size_t b)
{
    static size_t all[8];
    for (size_t i = 2; i < 8; i++)
        all[i] = 1;
    all[0] = a_size(a);
    all[1] = a_size(b);
    return all;
}

/* (rows, width), all ones; and what it should not be. */
static ur_tensor *a_tensor(size_t rows, size_t width)
{
    const size_t pick = odd_pick(6), dim[3] = {rows + (pick == 2), width + (pick == 3), 2};
    if (pick == 1)
        return NULL;
    if (pick == 4)
        return ur_new_ints(z.tape, 2, dim);
    ur_tensor *x = ur_new_floats(z.tape, pick == 5 ? 1 : pick == 6 ? 3 : 2, dim, true);
    for (size_t i = 0; x && i < ur_count(x); i++)
        ur_floats(x)[i] = 1.0f;
    return x;
}

static ur_tensor *a_row(size_t width)
{
    const size_t pick = odd_pick(3), dim[2] = {width + (pick == 2), 2};
    if (pick == 1)
        return NULL;
    ur_tensor *x = ur_new_floats(z.tape, pick == 3 ? 2 : 1, dim, true);
    for (size_t i = 0; x && i < ur_count(x); i++)
        ur_floats(x)[i] = 1.0f;
    return x;
}

static const ur_layout *a_layout(void)
{
    static const size_t one[] = {2}, none[] = {0, 0, 0}, more[] = {3, 1, 2};
    switch (odd_pick(6)) {
    case 1:
        return ur_new_layout(z.tape, UR_STEP_MAJOR, 1, one, NULL);
    case 2:
        return ur_new_layout(z.tape, UR_STEP_MAJOR, 3, none, NULL);
    case 3:
        return ur_new_layout(z.tape, UR_SEQUENCE_MAJOR, 3, more, NULL);
    case 4:
        return ur_new_layout(z.tape, UR_STEP_MAJOR, 0, one, NULL);
    case 5:
        return NULL;
    case 6:
        return ur_new_layout(z.tape, UR_SEQUENCE_MAJOR, 3, (const size_t[]){3, 0, 2}, NULL);
    default:
        return z.layout;
    }
}

static ur_seq *a_seq(size_t width)
{
    static float ones[64];
    static const int32_t ids[64];
    const ur_layout *layout = a_layout();
    for (size_t i = 0; i < 64; i++)
        ones[i] = 1.0f;
    switch (odd_pick(3)) {
    case 1:
        return NULL;
    case 2:
        return layout ? ur_seq_floats(z.tape, layout, width + 1, ones, true) : NULL;
    case 3:
        return layout ? ur_seq_ints(z.tape, layout, ids) : NULL;
    default:
        return layout ? ur_seq_floats(z.tape, layout, width, ones, true) : NULL;
    }
}

static ur_seq *some_ids(void)
{
    static const int32_t good[8] = {1, 2, 3, 4, 5, 6, 7, 8}, high[8] = {WORDS},
                         low[8] = {INT32_MIN, -2}, unknown[8] = {UR_UNKNOWN, INT32_MAX};
    const ur_layout *layout = a_layout();
    if (!layout)
        return NULL;
    switch (odd_pick(4)) {
    case 1:
        return ur_seq_ints(z.tape, layout, high);
    case 2:
        return ur_seq_ints(z.tape, layout, low);
    case 3:
        return ur_seq_ints(z.tape, layout, unknown);
    case 4:
        return ur_seq_floats(z.tape, layout, 1, (const float[64]){0}, false);
    default:
        return ur_seq_ints(z.tape, layout, good);
    }
}

static ur_state a_state(bool stack)
{
    const size_t pick = odd_pick(4), dim[3] = {stack ? 1 : 3, stack ? 3 : UNITS, UNITS};
    const size_t wrong[3] = {2, 2, 2};
    const int ndim = stack ? 3 : 2;
    switch (pick) {
    case 1:
        return (ur_state){ur_new_floats(z.tape, ndim, wrong, false), NULL};
    case 2:
        return (ur_state){NULL, ur_new_floats(z.tape, ndim, wrong, false)};
    case 3:
        return (ur_state){ur_new_ints(z.tape, ndim, dim), NULL};
    case 4:
        return (ur_state){ur_copy_floats(z.tape, ndim, dim, z.gradient, false),
                          ur_copy_floats(z.tape, ndim, dim, z.gradient, false)};
    default:
        return (ur_state){NULL, NULL};
    }
}

static const ur_attention_mask *a_mask(void)
{
    static const bool hidden[64];
    static ur_attention_mask mask;
    mask = (ur_attention_mask){
        .heads = a_count(1), .queries = a_count(5), .keys = a_count(5), .hidden = or_null(hidden)};
    return odd_pick(1) ? &mask : NULL;
}

static const ur_attention_call *a_call(void)
{
    static ur_weights *weights;
    static ur_attention_call call;
    call = (ur_attention_call){.causal = (ur_causal)an_enum(0, 3),
                               .mask = a_mask(),
                               .weights = a_flag(false) ? &weights : NULL,
                               .average = a_flag(false)};
    if (!odd_pick(1))
        return &call;
    odd.refused = false; /* what stands in it is not looked at */
    return NULL;
}

static const ur_attention_options *the_options(void)
{
    static ur_weights *weights;
    static ur_attention_options o;
    o = (ur_attention_options){.score = a_text_or_null("dot"),
                               .heads = a_size(2),
                               .scale = a_float(1.0f),
                               .causal = (ur_causal)an_enum(0, 3),
                               .mask = a_mask(),
                               .dropout = a_float(0.1f),
                               .weights = a_flag(false) ? &weights : NULL,
                               .average = a_flag(false)};
    return &o;
}

static const ur_rnn_config *a_stack(void)
{
    static ur_rnn_config c;
    c = (ur_rnn_config){.cell = a_text("lstm"),
                        .input_size = a_size(WIDTH),
                        .hidden_size = a_size(UNITS),
                        .proj_size = a_size(0),
                        .num_layers = a_size(2),
                        .bidirectional = a_flag(false),
                        .no_bias = a_flag(false),
                        .average = a_flag(false),
                        .dropout = a_float(0.1f),
                        .recurrent_dropout = a_float(0.1f),
                        .zoneout_h = a_float(0.1f),
                        .zoneout_c = a_float(0.1f)};
    return &c;
}

static const ur_multi_head_config *some_heads(void)
{
    static ur_multi_head_config c;
    c = (ur_multi_head_config){.embed_dim = a_size(WIDTH),
                               .num_heads = a_size(2),
                               .qdim = a_size(0),
                               .kdim = a_size(3),
                               .vdim = a_size(2),
                               .no_bias = a_flag(false),
                               .dropout = a_float(0.1f),
                               .add_bias_kv = a_flag(false),
                               .add_zero_attn = a_flag(false)};
    return &c;
}

static const ur_transformer_config *a_transformer(void)
{
    static ur_transformer_config c;
    c = (ur_transformer_config){.d_model = a_size(WIDTH),
                                .nhead = a_size(2),
                                .dim_feedforward = a_size(6),
                                .dropout = a_float(0.1f),
                                .activation = (ur_activation)an_enum(1, 4),
                                .layer_norm_eps = a_float(1e-5f),
                                .norm_first = a_flag(false),
                                .no_bias = a_flag(false),
                                .own_rates = a_flag(true),
                                .attention_dropout = a_float(0.1f),
                                .inner_dropout = a_float(0.1f)};
    return &c;
}

static const ur_transformer_call *a_pass(void)
{
    static ur_transformer_call c;
    static ur_weights *weights[1];
    static ur_seq *outputs[1];
    c = (ur_transformer_call){.causal = a_flag(false),
                              .mask = a_mask(),
                              .memory_mask = a_mask(),
                              .weights = a_flag(false) ? weights : NULL,
                              .average = a_flag(false),
                              .outputs = a_flag(false) ? outputs : NULL};
    return or_null(&c);
}

static ur_tensor *first_weight(ur_tape *tape, void *user)
{
    (void)user;
    return ur_sum(tape, ur_parameter(tape, 0));
}

/* Which sequences: three of them, one of which may be none. */
static const size_t *which(void)
{
    static size_t all[3];
    all[0] = 0;
    all[1] = a_size(1);
    all[2] = 2;
    return odd_pick(1) ? NULL : all;
}

static float numbers[4096];
static char written[64];

/* ---- the tables ------------------------------------------------------------------------------------- */

static void the_ground(void **unused)
{
    ur_context *context = NULL;
    ur_params *params = NULL;
    ur_tape *tape = NULL;
    uint32_t character;
    size_t at;
    double worst;
    (void)unused;
    ODD(ur_version, (void)ur_version())
    ODD(ur_status_name, assert_non_null(ur_status_name((ur_status)an_int(0))))
    ODD(ur_utf8_decode, {
        const char *s = a_text("a");
        (void)ur_utf8_decode(s, strlen(s), &character);
    })
    ODD(ur_utf8_encode, (void)ur_utf8_encode((uint32_t)a_size(65), written))
    ODD(ur_utf8_count, {
        const char *s = a_text("a");
        (void)ur_utf8_count(s, strlen(s), &at);
    })
    ODD(ur_printable, {
        const char *s = a_text("a");
        (void)ur_printable(s, strlen(s), written, a_count(sizeof written));
    })
    ODD(ur_isa_name, (void)ur_isa_name(a_size(0)))
    ODD(ur_context_new, {
        const ur_options o = {or_null(&odd.allocator), odd_pick(3) ? an_int(1) : 1,
                              a_text_or_null(NULL)};
        said(ur_context_new(or_null(&o), &context, an_err()));
        ur_context_free(context);
        context = NULL;
    })
    ODD(ur_context_free, ur_context_free(NULL))
    ODD(ur_context_isa, assert_non_null(ur_context_isa(z.context)))
    ODD(ur_context_threads, assert_int_equal(ur_context_threads(z.context), 1))
    ODD(ur_context_allocator, assert_non_null(ur_context_allocator(z.context)))
    ODD(ur_count, {
        const ur_tensor *x = a_tensor(2, 2);
        if (x)
            (void)ur_count(x);
    })
    ODD(ur_floats, {
        const ur_tensor *x = a_tensor(2, 2);
        if (x)
            (void)ur_floats(x);
    })
    ODD(ur_ints, {
        const ur_tensor *x = a_tensor(2, 2);
        if (x)
            (void)ur_ints(x);
    })
    ODD(ur_row, (void)ur_row(z.layout, 0, a_count(2)))
    ODD(ur_alive, (void)ur_alive(z.layout, a_size(1)))
    ODD(ur_values, (void)ur_values(a_seq(2)))
    ODD(ur_params_new, {
        said(ur_params_new(z.context, &params, an_err()));
        ur_params_free(params);
    })
    ODD(ur_params_free, ur_params_free(NULL))
    ODD(ur_params_add,
        (void)ur_params_add(new_params(), a_text("w"), an_int(2), dims(2, 3), (unsigned)an_int(3)))
    ODD(ur_params_alias,
        (void)ur_params_alias(new_params(), a_text("w"),
                              ur_params_add(new_params(), "v", 2, dims(2, 3), 3) + an_int(0)))
    ODD(ur_params_seal, said(ur_params_seal(new_params(), an_err())))
    ODD(ur_params_set_flags,
        (void)ur_params_set_flags(new_params(), a_text("*"), (unsigned)an_int(1), a_flag(true)))
    ODD(ur_params_size, (void)ur_params_size(z.params))
    ODD(ur_params_count, (void)ur_params_count(z.params))
    ODD(ur_params_entry, (void)ur_params_entry(z.params, a_size(1)))
    ODD(ur_params_find, (void)ur_params_find(z.params, a_text("linear.weight")))
    ODD(ur_params_weights, (void)ur_params_weights(z.params))
    ODD(ur_params_data, (void)ur_params_data(z.params))
    ODD(ur_param_data, (void)ur_param_data(z.params, an_int(0)))
    ODD(ur_params_values, (void)ur_params_values(z.params))
    ODD(ur_param_values, (void)ur_param_values(z.params, an_int(0)))
    ODD(ur_params_changed, ur_params_changed(z.params))
    ODD(ur_tape_new, {
        said(ur_tape_new(z.context, &tape, an_err()));
        ur_tape_free(tape);
    })
    ODD(ur_tape_free, ur_tape_free(NULL))
    ODD(ur_tape_start, ur_tape_start(taped(), (ur_mode)an_enum(0, 2), or_null(z.params),
                                     to_null(z.gradient), a_seed(), a_seed()))
    ODD(ur_backward,
        said(ur_backward(taped(), a_flag(true) ? ur_sum(z.tape, a_tensor(2, 2)) : a_tensor(2, 2)));
        snprintf(odd.err.text, sizeof odd.err.text, "%s", ur_error(z.tape));
        odd.err.status = ur_tape_status(z.tape))
    ODD(ur_param_gradient, (void)ur_param_gradient(taped(), an_int(0)))
    ODD(ur_tape_status, (void)ur_tape_status(z.tape))
    ODD(ur_error, assert_non_null(ur_error(z.tape)))
    ODD(ur_tape_note, {
        ur_tape *t = taped();
        const size_t one = 1;
        ur_tape_note(t, a_size(0), odd_pick(1) ? a_tensor(2, 2) : ur_new_floats(t, 1, &one, false));
    })
    ODD(ur_tape_mode, (void)ur_tape_mode(z.tape))
    ODD(ur_tape_place, (void)ur_tape_place(reading()))
    ODD(ur_tape_rewind, {
        const ur_place p = ur_tape_place(reading());
        (void)a_tensor(2, 2);
        ur_tape_rewind(z.tape, p);
    })
    ODD(ur_new_floats, (void)ur_new_floats(taped(), an_int(2), dims(2, 3), a_flag(true)))
    ODD(ur_new_ints, (void)ur_new_ints(taped(), an_int(2), dims(2, 3)))
    ODD(ur_copy_floats,
        (void)ur_copy_floats(taped(), an_int(2),
                             (const size_t[8]){a_count(2), a_count(3), 1, 1, 1, 1, 1, 1}, numbers,
                             a_flag(true)))
    ODD(ur_parameter, (void)ur_parameter(taped(), an_int(0)))
    ODD(ur_new_layout, (void)ur_new_layout(taped(), (ur_order)an_enum(0, 2), a_count(2), dims(2, 3),
                                           or_null((const uint64_t[3]){1, 1, 2})))
    ODD(ur_seq_floats, {
        const ur_layout *l = a_layout();
        if (l)
            (void)ur_seq_floats(taped(), l, a_count(3), numbers, a_flag(true));
    })
    ODD(ur_seq_ints, {
        const ur_layout *l = a_layout();
        if (l)
            (void)ur_seq_ints(taped(), l, (const int32_t[64]){an_int(0)});
    })
    ODD(ur_from_padded, {
        const size_t d[3] = {3, a_size(4), a_size(2)};
        ur_tensor *x = ur_new_floats(taped(), odd_pick(1) ? 2 : 3, d, true);
        (void)ur_from_padded(z.tape, a_layout(), x, a_flag(true));
    })
    ODD(ur_to_padded, (void)ur_to_padded(taped(), a_seq(2), a_size(4), a_real(0.0), a_flag(true)))
    ODD(ur_reorder, (void)ur_reorder(taped(), a_seq(2), (ur_order)an_enum(1, 2)))
    ODD(ur_gradient_check,
        said(ur_gradient_check(z.tape, z.params, first_weight, NULL, a_size(2), &worst, an_err())))
    odd_end();
}

static void elementary(void **unused)
{
    (void)unused;
    ODD(ur_add, (void)ur_add(taped(), a_tensor(2, 3), a_tensor(2, 3)))
    ODD(ur_sub, (void)ur_sub(taped(), a_tensor(2, 3), a_tensor(2, 3)))
    ODD(ur_mul, (void)ur_mul(taped(), a_tensor(2, 3), a_tensor(2, 3)))
    ODD(ur_div, (void)ur_div(taped(), a_tensor(2, 3), a_tensor(2, 3)))
    ODD(ur_scale, (void)ur_scale(taped(), a_tensor(2, 3), a_float(2.0f)))
    ODD(ur_sigmoid, (void)ur_sigmoid(taped(), a_tensor(2, 3)))
    ODD(ur_tanh, (void)ur_tanh(taped(), a_tensor(2, 3)))
    ODD(ur_exp, (void)ur_exp(taped(), a_tensor(2, 3)))
    ODD(ur_log, (void)ur_log(taped(), a_tensor(2, 3)))
    ODD(ur_relu, (void)ur_relu(taped(), a_tensor(2, 3)))
    ODD(ur_gelu, (void)ur_gelu(taped(), a_tensor(2, 3)))
    ODD(ur_gelu_tanh, (void)ur_gelu_tanh(taped(), a_tensor(2, 3)))
    ODD(ur_softmax, (void)ur_softmax(taped(), a_tensor(2, 3)))
    ODD(ur_sum, (void)ur_sum(taped(), a_tensor(2, 3)))
    ODD(ur_mean, (void)ur_mean(taped(), a_tensor(2, 3)))
    ODD(ur_expand, (void)ur_expand(taped(), a_row(1), an_int(2), dims(2, 3)))
    ODD(ur_expand_rows, (void)ur_expand_rows(taped(), a_row(3), a_size(2)))
    ODD(ur_reshape, (void)ur_reshape(taped(), a_tensor(2, 3), an_int(2), dims(3, 2)))
    ODD(ur_transpose, (void)ur_transpose(taped(), a_tensor(2, 3)))
    ODD(ur_layer_norm,
        (void)ur_layer_norm(taped(), a_tensor(2, 3), a_row(3), a_row(3), a_float(1e-5f)))
    ODD(ur_matmul_t, (void)ur_matmul_t(taped(), a_tensor(2, 3), a_tensor(4, 3)))
    ODD(ur_concat, (void)ur_concat(taped(), a_tensor(2, 3), a_tensor(2, 4)))
    ODD(ur_slice, (void)ur_slice(taped(), a_tensor(2, 3), a_size(0), a_size(2)))
    ODD(ur_concat_seq, (void)ur_concat_seq(taped(), a_seq(2), a_seq(3)))
    ODD(ur_repeat, (void)ur_repeat(taped(), a_tensor(3, 2), a_layout()))
    ODD(ur_reverse, (void)ur_reverse(taped(), a_seq(2)))
    ODD(ur_last_steps, (void)ur_last_steps(taped(), a_seq(2)))
    ODD(ur_step_of, (void)ur_step_of(taped(), a_seq(2), a_size(1)))
    ODD(ur_stack, {
        ur_tensor *const x[2] = {a_tensor(2, 3), a_tensor(2, 3)};
        (void)ur_stack(taped(), a_count(2), x);
    })
    ODD(ur_pick, {
        const size_t d[3] = {2, 3, 2};
        ur_tensor *x = ur_new_floats(taped(), odd_pick(1) ? 2 : 3, d, true);
        (void)ur_pick(z.tape, x, a_size(1));
    })
    odd_end();
}

static void layers(void **unused)
{
    ur_sine_positions *sines = NULL;
    (void)unused;
    ODD(ur_embedding_add, (void)ur_embedding_add(new_params(), a_text("e"), a_size(9), a_size(4)))
    ODD(ur_embedding_init, ur_embedding_init(&z.embedding, z.params, a_seed()))
    ODD(ur_embedding, (void)ur_embedding(taped(), &z.embedding, some_ids()))
    ODD(ur_sine_positions_new, {
        sines = NULL;
        said(ur_sine_positions_new(z.context, a_size(8), a_size(4), &sines, an_err()));
        ur_sine_positions_free(sines);
    })
    ODD(ur_sine_positions_free, ur_sine_positions_free(NULL))
    ODD(ur_positions_add, (void)ur_positions_add(new_params(), a_text("p"), a_size(9), a_size(4)))
    ODD(ur_positions_of, (void)ur_positions_of(z.sines))
    ODD(ur_positions_init, ur_positions_init(&z.positions, z.params, a_float(0.02f), a_seed()))
    ODD(ur_embedding_at, {
        const ur_positions_layer sine = ur_positions_of(z.sines);
        (void)ur_embedding_at(taped(), &z.embedding, a_float(2.0f),
                              odd_pick(1) ? &sine : or_null(&z.positions), a_size(2), some_ids());
    })
    ODD(ur_linear_add,
        (void)ur_linear_add(new_params(), a_text("fc"), a_size(4), a_size(3), a_flag(true)))
    ODD(ur_linear_add_tied, {
        const ur_embedding_layer e = ur_embedding_add(new_params(), "e", a_size(9), a_size(4));
        (void)ur_linear_add_tied(new_params(), a_text("fc"), &e, a_flag(true));
    })
    ODD(ur_linear_init, ur_linear_init(&z.linear, z.params, a_seed()))
    ODD(ur_linear, (void)ur_linear(taped(), &z.linear, a_tensor(3, WIDTH)))
    ODD(ur_linear_seq, (void)ur_linear_seq(taped(), &z.linear, a_seq(WIDTH)))
    ODD(ur_feed_forward, (void)ur_feed_forward(taped(), &z.first, (ur_activation)an_enum(1, 4),
                                               a_float(0.1f), &z.second, a_seq(WIDTH)))
    ODD(ur_dropout, (void)ur_dropout(taped(), a_seq(WIDTH), a_float(0.5f)))
    ODD(ur_layer_norm_add, (void)ur_layer_norm_add(new_params(), a_text("n"), a_size(4),
                                                   a_float(1e-5f), a_flag(true), a_flag(true)))
    ODD(ur_layer_norm_init, ur_layer_norm_init(&z.norm, z.params))
    ODD(ur_layer_norm_seq, (void)ur_layer_norm_seq(taped(), &z.norm, a_seq(WIDTH)))
    ODD(ur_residual,
        (void)ur_residual(taped(), or_null(&z.norm), a_seq(WIDTH), a_seq(WIDTH), a_float(0.1f)))
    ODD(ur_lstm_add, (void)ur_lstm_add(new_params(), a_text("l"), a_size(4), a_size(3)))
    ODD(ur_gru_add, (void)ur_gru_add(new_params(), a_text("g"), a_size(4), a_size(3)))
    ODD(ur_lstm_init, ur_lstm_init(&z.lstm, z.params, a_seed()))
    ODD(ur_gru_init, ur_gru_init(&z.gru, z.params, a_seed()))
    ODD(ur_cell_init, ur_cell_init(&z.gru, z.params, a_seed()))
    ODD(ur_lstm, (void)ur_lstm(taped(), &z.lstm, a_seq(WIDTH), a_state(false)))
    ODD(ur_gru, (void)ur_gru(taped(), &z.gru, a_seq(WIDTH), a_state(false)))
    ODD(ur_cell_forward, (void)ur_cell_forward(taped(), &z.gru, a_seq(WIDTH), a_state(false)))
    ODD(ur_lstm_embedded,
        (void)ur_lstm_embedded(taped(), &z.lstm, &z.embedding, some_ids(), a_state(false)))
    ODD(ur_gru_embedded,
        (void)ur_gru_embedded(taped(), &z.gru, &z.embedding, some_ids(), a_state(false)))
    ODD(ur_cell_embedded,
        (void)ur_cell_embedded(taped(), &z.gru, &z.embedding, some_ids(), a_state(false)))
    ODD(ur_cell_one_hot,
        (void)ur_cell_one_hot(taped(), &z.gru,
                              ur_seq_ints(z.tape, a_layout(), (const int32_t[64]){an_int(0)}),
                              a_state(false)))
    ODD(ur_lstm_step, (void)ur_lstm_step(taped(), &z.lstm, a_tensor(3, WIDTH), a_state(false)))
    ODD(ur_gru_step, (void)ur_gru_step(taped(), &z.gru, a_tensor(3, WIDTH), a_state(false)))
    ODD(ur_cell_single_step,
        (void)ur_cell_single_step(taped(), &z.gru, a_tensor(3, WIDTH), a_state(false)))
    ODD(ur_cell_name, (void)ur_cell_name(a_size(0)))
    ODD(ur_cross_entropy, (void)ur_cross_entropy(taped(), a_seq(WORDS), some_ids(), a_real(5.0)))
    ODD(ur_cross_entropy_smoothed,
        (void)ur_cross_entropy_smoothed(taped(), a_seq(WORDS), some_ids(), a_real(5.0),
                                        a_float(0.1f)))
    ODD(ur_init_uniform, ur_init_uniform(z.params, an_int(0), a_float(0.1f), a_seed()))
    ODD(ur_init_normal, ur_init_normal(z.params, an_int(0), a_seed()))
    ODD(ur_init_xavier, ur_init_xavier(z.params, an_int(0), a_seed()))
    ODD(ur_init_lecun, ur_init_lecun(z.params, an_int(0), a_seed()))
    odd_end();
}

static void stacks(void **unused)
{
    static ur_rnn_stack made;
    ur_seq *cells[1];
    ur_stream *stream = NULL;
    ur_carry *carry = NULL;
    (void)unused;
    ODD(ur_rnn_check, said(ur_rnn_check(a_stack(), an_err())))
    ODD(ur_rnn_add, said(ur_rnn_add(new_params(), a_text("r"), a_stack(), &made, an_err())))
    ODD(ur_rnn_init, ur_rnn_init(z.stack, z.params, a_seed()))
    ODD(ur_rnn_width, (void)ur_rnn_width(z.stack))
    ODD(ur_rnn, (void)ur_rnn(taped(), z.stack, a_seq(WIDTH), a_state(true)))
    ODD(ur_rnn_with_cells,
        (void)ur_rnn_with_cells(taped(), z.stack, a_seq(WIDTH), a_state(true), cells))
    ODD(ur_rnn_embedded,
        (void)ur_rnn_embedded(taped(), z.stack, &z.embedding, some_ids(), a_state(true)))
    ODD(ur_rnn_one_hot,
        (void)ur_rnn_one_hot(taped(), z.stack,
                             ur_seq_ints(z.tape, a_layout(), (const int32_t[64]){an_int(0)}),
                             a_state(true)))
    ODD(ur_stream_new, {
        stream = NULL;
        said(ur_stream_new(z.context, z.params, z.stack, a_size(2), &stream, an_err()));
        ur_stream_free(stream);
    })
    ODD(ur_stream_free, ur_stream_free(NULL))
    ODD(ur_stream_step, {
        const float x[8] = {a_float(1.0f)};
        float y[6];
        ur_stream_step(z.stream, x, y);
    })
    ODD(ur_stream_state_size, assert_true(ur_stream_state_size(z.stream) < 4096))
    ODD(ur_stream_state_save, ur_stream_state_save(z.stream, numbers))
    ODD(ur_stream_state_load, ur_stream_state_load(z.stream, numbers))
    ODD(ur_stream_reset, ur_stream_reset(z.stream))
    ODD(ur_stream_reset_sequence, ur_stream_reset_sequence(z.stream, a_size(1)))
    ODD(ur_carry_new, {
        carry = NULL;
        said(ur_carry_new(z.context, z.stack, a_size(2), &carry, an_err()));
        ur_carry_free(carry);
    })
    ODD(ur_carry_free, ur_carry_free(NULL))
    ODD(ur_carry_state, (void)ur_carry_state(taped(), z.carry, a_count(3), which()))
    ODD(ur_carry_state, (void)ur_carry_state(taped(), z.carry, a_size(3), NULL))
    ODD(ur_carry_take, ur_carry_take(taped(), z.carry, a_count(3), which(),
                                     ur_rnn(z.tape, z.stack, a_seq(WIDTH), (ur_state){NULL, NULL})))
    ODD(ur_carry_take, ur_carry_take(taped(), z.carry, a_size(3), NULL,
                                     ur_rnn(z.tape, z.stack, a_seq(WIDTH), (ur_state){NULL, NULL})))
    ODD(ur_carry_reset, ur_carry_reset(z.carry))
    ODD(ur_carry_size, (void)ur_carry_size(z.carry))
    ODD(ur_carry_values, assert_non_null(ur_carry_values(z.carry)))
    odd_end();
}

static void attention(void **unused)
{
    ur_weights *weights;
    static ur_multi_head_layer made;
    const char *const names[4] = {"q", "k", "v", "o"};
    (void)unused;
    ODD(ur_attention, {
        const ur_attention_options *o = the_options();
        (void)ur_attention(taped(), a_seq(WIDTH), a_seq(WIDTH), a_seq(6),
                           odd.refused ? o : or_null(o));
    })
    ODD(ur_attention_score_name, (void)ur_attention_score_name(a_size(0)))
    ODD(ur_attention_dot, (void)ur_attention_dot(taped(), a_seq(WIDTH), a_seq(WIDTH), a_seq(6),
                                                 a_flag(true) ? &weights : NULL))
    ODD(ur_attention_weights, (void)ur_attention_weights(taped(), a_tensor(3, WIDTH), a_seq(WIDTH)))
    ODD(ur_weighted_sum, (void)ur_weighted_sum(taped(), a_seq(WIDTH), a_seq(1)))
    ODD(ur_additive_attention_add,
        (void)ur_additive_attention_add(new_params(), a_text("a"), a_size(4), a_size(4), a_size(3),
                                        a_float(0.1f)))
    ODD(ur_additive_attention_init, ur_additive_attention_init(&z.additive, z.params, a_seed()))
    ODD(ur_additive_attention, (void)ur_additive_attention(taped(), &z.additive, a_seq(WIDTH),
                                                           a_seq(WIDTH), a_seq(6), a_call()))
    ODD(ur_additive_attention_keys,
        (void)ur_additive_attention_keys(taped(), &z.additive, a_seq(WIDTH)))
    ODD(ur_additive_attention_over,
        (void)ur_additive_attention_over(taped(), &z.additive, a_seq(WIDTH), a_seq(UNITS), a_seq(6),
                                         a_call()))
    ODD(ur_multi_head_check, said(ur_multi_head_check(some_heads(), an_err())))
    ODD(ur_multi_head_attention_add,
        said(ur_multi_head_attention_add(new_params(), a_text("h"), some_heads(), &made, an_err())))
    ODD(ur_multi_head_attention_add_apart,
        said(ur_multi_head_attention_add_apart(new_params(), names, some_heads(), &made, an_err())))
    ODD(ur_multi_head_attention_init, ur_multi_head_attention_init(&z.heads, z.params, a_seed()))
    ODD(ur_multi_head_attention,
        (void)ur_multi_head_attention(taped(), &z.heads, a_seq(WIDTH), a_seq(WIDTH), a_seq(WIDTH),
                                      a_call()))
    odd_end();
}

static void transformers(void **unused)
{
    static ur_transformer made;
    ur_step_cache *cache = NULL;
    (void)unused;
    ODD(ur_transformer_check, said(ur_transformer_check(a_transformer(), an_err())))
    ODD(ur_transformer_encoder_add,
        said(ur_transformer_encoder_add(new_params(), a_text("e"), a_transformer(), a_size(1),
                                        a_flag(true), &made.encoder, an_err())))
    ODD(ur_transformer_decoder_add,
        said(ur_transformer_decoder_add(new_params(), a_text("d"), a_transformer(), a_size(1),
                                        a_flag(true), &made.decoder, an_err())))
    ODD(ur_transformer_add, said(ur_transformer_add(new_params(), a_text("t"), a_transformer(),
                                                    a_size(1), a_size(1), &made, an_err())))
    ODD(ur_transformer_encoder_init,
        ur_transformer_encoder_init(&z.both->encoder, z.params, a_seed()))
    ODD(ur_transformer_decoder_init,
        ur_transformer_decoder_init(&z.both->decoder, z.params, a_seed()))
    ODD(ur_transformer_init, ur_transformer_init(z.both, z.params, a_seed()))
    ODD(ur_transformer_encode,
        (void)ur_transformer_encode(taped(), &z.both->encoder, a_seq(WIDTH), a_pass()))
    ODD(ur_transformer_decode, (void)ur_transformer_decode(taped(), &z.both->decoder, a_seq(WIDTH),
                                                           a_seq(WIDTH), a_pass()))
    ODD(ur_transformer_forward,
        (void)ur_transformer_forward(taped(), z.both, a_seq(WIDTH), a_seq(WIDTH)))
    ODD(ur_step_cache_new, {
        cache = NULL;
        said(ur_step_cache_new(z.context, a_size(1), a_size(4), a_size(3), &cache, an_err()));
        ur_step_cache_free(cache);
    })
    ODD(ur_step_cache_free, ur_step_cache_free(NULL))
    ODD(ur_step_cache_sequences, (void)ur_step_cache_sequences(new_cache()))
    ODD(ur_step_cache_length, (void)ur_step_cache_length(new_cache(), a_size(1)))
    ODD(ur_step_cache_reorder,
        (void)ur_step_cache_reorder(new_cache(), a_count(3),
                                    (const size_t[3]){a_size(0), a_size(2), 2}))
    ODD(ur_step_cache_forget, ur_step_cache_forget(new_cache(), a_size(1)))
    ODD(ur_transformer_encode_next, {
        ur_tape *t = reading();
        (void)ur_transformer_encode_next(t, &z.both->encoder, new_cache(), a_seq(WIDTH));
    })
    ODD(ur_transformer_memory, {
        ur_tape *t = reading();
        (void)ur_transformer_memory(t, &z.both->decoder, a_seq(WIDTH));
    })
    ODD(ur_transformer_decode_next, {
        ur_tape *t = reading();
        ur_decoder_memory *m = ur_transformer_memory(t, &z.both->decoder, a_seq(WIDTH));
        if (m)
            (void)ur_transformer_decode_next(z.tape, &z.both->decoder, new_cache(), m, a_seq(WIDTH),
                                             odd_pick(1) ? a_layout() : NULL, a_pass());
    })
    odd_end();
}

static int enter(void **state)
{
    (void)state;
    odd_init(fresh, stale);
    make_zoo();
    return 0;
}

static int leave(void **state)
{
    (void)state;
    free_zoo();
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_ground, enter, leave),
        cmocka_unit_test_setup_teardown(elementary, enter, leave),
        cmocka_unit_test_setup_teardown(layers, enter, leave),
        cmocka_unit_test_setup_teardown(stacks, enter, leave),
        cmocka_unit_test_setup_teardown(attention, enter, leave),
        cmocka_unit_test_setup_teardown(transformers, enter, leave),
    };
    if (argc > 1) /* one table */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
