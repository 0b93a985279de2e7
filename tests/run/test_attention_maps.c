/* test_attention_maps.c - the attention of every layer and head that predictions of Transformers show:
 * what the layers give for the whole sequences, in reading order; and its pictures. */
#include "run/runs.h"

#include <math.h>

#include "models/seq2seq.h"
#include "models/translation.h"
#include "support/failing_alloc.h"
#define FILE_NAME "looked.svg"
#include "io/svg_checks.h"

static ur_context *context;

static int enter(void **state)
{
    context = context_of(NULL, 1, NULL);
    return run_folder_enter(state);
}

static int leave(void **state)
{
    ur_context_free(context);
    return test_folder_leave(state);
}

enum { LAYERS = 2, HEADS = 4 };

/* A run that has learned a few steps, with drop-out. */
static ur_run *pairs_run(ur_context *of, const char *network, const char *more, const char *value)
{
    ur_run_settings settings = tiny_settings();
    ur_seq2seq_config config = ur_seq2seq_defaults();
    const ur_setting set[] = {{"network", network},
                              {"hidden_size", "16"},
                              {"text.strip", "true"},
                              {"dropout", "0.3"},
                              {strcmp(network, "rnn") ? "layers" : "embed_size", "2"},
                              {more, value},
                              {NULL, NULL}};
    ur_run *run;
    ur_err err;
    settings.size = 64;
    settings.valid_size = 8;
    settings.train.epochs = 1;
    settings.overwrite = true;
    assert_int_equal(ur_fields_apply(ur_kind_find(of, "seq2seq")->fields, &config, set, &err),
                     UR_OK);
    if (ur_run_create(of, "run", &settings, "seq2seq", &config, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    run_trained(run);
    return run;
}

static ur_run *translation_run(int model, bool joint)
{
    static const char *const pairs = "one cat .\tun chat .\ntwo dogs .\tdeux chiens .\n"
                                     "one dog .\tun chien .\ntwo cats .\tdeux chats .\n";
    ur_run_settings settings = ur_run_defaults(ur_kind_find(context, "translation"));
    ur_translation_config config = ur_translation_defaults();
    ur_run *run;
    ur_err err;
    put_file("pairs.tsv", pairs);
    settings.data = "pairs.tsv";
    settings.valid_split = 0.0;
    settings.train.epochs = 60;
    settings.overwrite = true;
    config.model = model;
    config.hidden_size = 16;
    config.embed_size = 8;
    config.layers = LAYERS;
    config.dropout = 0.2f;
    config.text.joint = joint;
    config.text.min_freq = 1;
    config.text.merges = 0;
    if (ur_run_create(context, "run", &settings, "translation", &config, &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    run_trained(run);
    return run;
}

static ur_prediction predicted(ur_run *run, const char *text)
{
    const ur_search_options maps = {.maps = true};
    ur_prediction p;
    ur_err err;
    if (ur_run_predict(run, 1, &text, &maps, &p, NULL, &err) != UR_OK)
        fail_msg("%s", err.text);
    return p;
}

static const float *head_of(const ur_attention_map *m, size_t layer, size_t head)
{
    return m->weights + (layer * m->heads + head) * m->rows * m->columns;
}

/* What holds of the maps of any Transformer. */
static void check_maps(const ur_prediction *p)
{
    static const char *const names[] = {"cross", "encoder", "decoder"};
    assert_int_equal(p->n_maps, 3);
    for (size_t i = 0; i < 3; i++) {
        const ur_attention_map *m = &p->maps[i];
        assert_string_equal(m->name, names[i]);
        assert_true(m->layers == LAYERS && m->heads == HEADS);
        assert_int_equal(m->rows, i == 1 ? p->n_inputs : p->count);
        assert_int_equal(m->columns, i == 2 ? p->count : p->n_inputs);
        for (size_t r = 0; r < m->layers * m->heads * m->rows; r++) {
            double sum = 0;
            for (size_t c = 0; c < m->columns; c++)
                sum += (double)m->weights[r * m->columns + c];
            assert_true(fabs(sum - 1) < 1e-5);
        }
    }
    for (size_t i = 0; i < p->count; i++)
        assert_string_equal(p->maps[0].row_labels[i], p->tokens[i]);
    for (size_t i = 0; i < p->n_inputs; i++)
        assert_string_equal(p->maps[1].column_labels[i], p->inputs[i]);
    /* the weights of writing step by step are those of the whole, to the bit */
    const ur_attention_map *cross = &p->maps[0];
    for (size_t i = 0; i < cross->rows * cross->columns; i++) {
        float sum = 0;
        for (size_t h = 0; h < HEADS; h++)
            sum += head_of(cross, LAYERS - 1, h)[i];
        const float mean = sum * (1.0f / HEADS);
        assert_memory_equal(&mean, &p->attention[i], sizeof mean);
    }
}

/* The encoder's weights are those that the layers give when they read the text. */
static void check_encoder(const ur_attention_map *map, ur_run *run, const ur_pair_transformer *m,
                          const int32_t *ids, bool turned)
{
    const size_t n = map->rows;
    ur_weights *weights[UR_MOST_LAYERS];
    const ur_transformer_call call = {.weights = weights};
    ur_tape *t;
    assert_int_equal(ur_tape_new(context, &t, NULL), UR_OK);
    ur_tape_start(t, UR_INFER, ur_run_model(run)->params, NULL, 0, 0);
    const ur_seq *x = ur_seq_ints(t, ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &n, NULL), ids);
    assert_non_null(ur_transformer_encode(
        t, &m->body.encoder, ur_embedding_at(t, &m->source, m->scale, &m->positions, 0, x), &call));
    for (size_t l = 0; l < LAYERS; l++)
        for (size_t h = 0; h < HEADS; h++)
            for (size_t r = 0; r < n; r++)
                for (size_t c = 0; c < n; c++) {
                    const size_t row = turned ? n - 1 - r : r, column = turned ? n - 1 - c : c;
                    const float *whole = weights[l]->p + h * n * n;
                    assert_true(whole[row * n + column] == head_of(map, l, h)[r * n + c]);
                }
    ur_tape_free(t);
}

static void assert_past_alone(const ur_attention_map *decoder, bool turned)
{
    for (size_t i = 0; i < LAYERS * HEADS; i++)
        for (size_t r = 0; r < decoder->rows; r++) {
            const float *row = head_of(decoder, 0, i) + r * decoder->columns;
            const size_t step = turned ? decoder->rows - 1 - r : r;
            for (size_t c = step + 1; c < decoder->columns; c++)
                assert_true(row[c] == 0.0f);
        }
}

static void pairs(void **state)
{
    (void)state;
    static const char *const orders[][2] = {{"text.reverse_input", "false"},
                                            {"text.reverse_input", "true"},
                                            {"text.reverse_answer", "yes"}};
    for (size_t i = 0; i < 3; i++) {
        ur_run *run = pairs_run(context, "transformer", orders[i][0], orders[i][1]);
        const ur_vocabulary *v = ur_run_assets(run)->vocabulary;
        ur_prediction p = predicted(run, "5/17/03");
        check_maps(&p);
        int32_t ids[7];
        for (size_t k = 0; k < 7; k++)
            ids[k] = ur_vocabulary_find(v, &"5/17/03"[i == 1 ? 6 - k : k], 1);
        check_encoder(&p.maps[1], run, &ur_as_seq2seq(ur_run_model(run))->transformer, ids, i == 1);
        assert_past_alone(&p.maps[2], i == 2);
        assert_string_equal(p.maps[2].column_labels[0], "<start>");
        if (p.count > 1)
            assert_string_equal(p.maps[2].column_labels[1], p.tokens[i == 2 ? p.count - 1 : 0]);
        ur_prediction_free(context, &p);
        ur_run_free(run);
    }
}

static void translations(void **state)
{
    (void)state;
    for (int joint = 0; joint < 2; joint++) {
        ur_run *run = translation_run(UR_TRANSLATOR_TRANSFORMER, joint);
        ur_prediction p = predicted(run, "two cats .");
        check_maps(&p);
        assert_past_alone(&p.maps[2], false);
        assert_string_equal(p.inputs[p.n_inputs - 1], "<eos>");
        assert_string_equal(p.maps[2].column_labels[0], "<bos>");
        ur_prediction_free(context, &p);
        p = predicted(run, "");
        assert_int_equal(p.n_maps, 0);
        ur_prediction_free(context, &p);
        ur_run_free(run);
    }
    ur_run *run = translation_run(UR_TRANSLATOR_BAHDANAU, true);
    ur_prediction p = predicted(run, "two cats .");
    assert_true(p.n_maps == 0 && p.attention);
    ur_prediction_free(context, &p);
    ur_run_free(run);
}

/* ---- pictures ------------------------------------------------------------------------------ */

static char *drawn(ur_run *run, const ur_attention_view *view)
{
    ur_err err;
    if (ur_run_plot_attention(run, "5/17/03", view, FILE_NAME, &err) != UR_OK)
        fail_msg("%s", err.text);
    char *text = read_picture();
    assert_well_formed(text);
    return text;
}

/* A square's text says its value to four digits. */
static void assert_square(const char *svg, const ur_attention_map *m, size_t i, double value)
{
    char text[64], number[32];
    snprintf(number, sizeof number, "%.4f", value);
    size_t end = strlen(number);
    while (end > 1 && number[end - 1] == '0')
        end--;
    end -= number[end - 1] == '.';
    const char *column = m->column_labels[i % m->columns];
    column = strcmp(column, "<start>") ? column : "&lt;start&gt;";
    snprintf(text, sizeof text, "<title>%s / %s: %.*s<", m->row_labels[i / m->columns], column,
             (int)end, number);
    if (value >= 1e-4 && !strstr(svg, text))
        fail_msg("no %s", text);
}

static void pictures(void **state)
{
    (void)state;
    ur_run *run = pairs_run(context, "transformer", "text.reverse_input", "false");
    ur_prediction p = predicted(run, "5/17/03");
    for (size_t i = 0; i < 3; i++) {
        const ur_attention_map *m = &p.maps[i];
        char *svg = drawn(run, &(ur_attention_view){m->name, 1, 3, false});
        assert_non_null(strstr(svg, ">layer 1, head 3</text>"));
        for (size_t k = 0; k < m->rows * m->columns; k++)
            assert_square(svg, m, k, (double)head_of(m, 0, 2)[k]);
        assert_int_equal(occurrences(svg, "<title>"), m->rows * m->columns);
        free(svg);
        svg = drawn(run, &(ur_attention_view){m->name, 0, 0, true});
        assert_int_equal(occurrences(svg, "<title>"), LAYERS * HEADS * m->rows * m->columns);
        assert_int_equal(occurrences(svg, ">layer "), LAYERS * HEADS);
        assert_non_null(strstr(svg, ">layer 2, head 4</text>"));
        free(svg);
        svg = drawn(run, &(ur_attention_view){m->name, 2, 0, true});
        assert_int_equal(occurrences(svg, ">layer 2, head "), HEADS);
        assert_null(strstr(svg, ">layer 1"));
        free(svg);
    }
    char *svg = drawn(run, NULL);
    assert_non_null(strstr(svg, ">layer 2, mean of 4 heads</text>"));
    for (size_t k = 0; k < p.count * p.n_inputs; k++)
        assert_square(svg, &p.maps[0], k, (double)p.attention[k]);
    free(svg);
    ur_prediction_free(context, &p);
    ur_run_free(run);
}

static void refused(ur_run *run, const char *text, ur_attention_view view, ur_status want,
                    const char *says)
{
    ur_err err;
    const ur_status status = ur_run_plot_attention(run, text, &view, "never.svg", &err);
    if (status != want || !strstr(err.text, says))
        fail_msg("%s: \"%s\"; expected was %s with \"%s\"", ur_status_name(status), err.text,
                 ur_status_name(want), says);
    assert_int_equal(access("never.svg", F_OK), -1);
}

static void refusals(void **state)
{
    (void)state;
    ur_run *run = pairs_run(context, "transformer", "tie", "none");
    refused(run, "1/2/03", (ur_attention_view){"cross", 3, 0, false}, UR_INVALID,
            "there is no layer 3: the cross attention has layers 1 to 2 and heads 1 to 4");
    refused(run, "1/2/03", (ur_attention_view){"decoder", 1, 5, false}, UR_INVALID,
            "there is no head 5: the decoder attention has layers 1 to 2 and heads 1 to 4");
    refused(run, "1/2/03", (ur_attention_view){"encoder", 3, 0, true}, UR_INVALID, "no layer 3");
    refused(run, "", (ur_attention_view){NULL, 0, 0, false}, UR_INVALID, "nothing to draw");
    ur_run_free(run);
    run = pairs_run(context, "rnn", "attention", "dot");
    refused(run, "1/2/03", (ur_attention_view){"encoder", 0, 0, false}, UR_UNSUPPORTED,
            "no encoder attention");
    refused(run, "1/2/03", (ur_attention_view){NULL, 2, 0, false}, UR_INVALID,
            "one layer and head");
    refused(run, "1/2/03", (ur_attention_view){NULL, 0, 2, false}, UR_INVALID,
            "there is no head 2");
    ur_run_free(run);
    run = pairs_run(context, "rnn", "attention", "none");
    refused(run, "1/2/03", (ur_attention_view){NULL, 0, 0, false}, UR_UNSUPPORTED,
            "no attention to draw");
    ur_run_free(run);
}

/* The grid of one head is the picture of it. */
static void one_of_one(void **state)
{
    (void)state;
    ur_run *run = pairs_run(context, "rnn", "attention", "dot");
    char *one = drawn(run, NULL);
    char *grid = drawn(run, &(ur_attention_view){"cross", 1, 0, true});
    assert_string_equal(one, grid);
    free(one);
    one = drawn(run, &(ur_attention_view){"cross", 0, 1, false});
    assert_string_equal(one, grid);
    free(one);
    free(grid);
    ur_run_free(run);
}

/* ---- memory -------------------------------------------------------------------------------- */

static ur_status draw_once(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_attention_view all = {"encoder", 0, 0, true};
    const ur_options options = {.threads = 1, .allocator = a};
    ur_context *own;
    ur_run *run = NULL;
    (void)arg;
    ur_status status = ur_context_new(&options, &own, err);
    if (status != UR_OK)
        return status;
    status = ur_run_open(own, "run", &run, err);
    if (status == UR_OK)
        status = ur_run_plot_attention(run, "1/2/03", &all, "picture.svg", err);
    ur_run_free(run);
    ur_context_free(own);
    return status;
}

static void every_allocation(void **state)
{
    (void)state;
    ur_run_free(pairs_run(context, "transformer", "tie", "none"));
    assert_true(failing_alloc_sweep(draw_once, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pairs, enter, leave),
        cmocka_unit_test_setup_teardown(translations, enter, leave),
        cmocka_unit_test_setup_teardown(pictures, enter, leave),
        cmocka_unit_test_setup_teardown(one_of_one, enter, leave),
        cmocka_unit_test_setup_teardown(refusals, enter, leave),
        cmocka_unit_test_setup_teardown(every_allocation, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
