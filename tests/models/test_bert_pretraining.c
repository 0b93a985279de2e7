/* test_bert_pretraining.c - BERT's pretraining against transformers' BertForPreTraining
 * (tests/golden/bert_pretraining, made by tools/golden/bert_pretraining.py): both heads, losses,
 * gradients, 100 steps of Adam; data that a program makes, evaluation, what is refused. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "support/golden.h"
#include "support/slow.h"
#include "unroll/bert.h"
#include "unroll/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { VARIANTS = 2, CLS = 2, SEP = 3, MASK = 4 };

/* BERT's own, and that of Dive into Deep Learning. */
static ur_bert_config config_of(int variant)
{
    ur_bert_config c = ur_bert_defaults();
    c.pretraining = true;
    c.dropout = c.attention_dropout = 0;
    if (variant == 1) {
        c.activation = UR_ACT_RELU;
        c.layer_norm_eps = 1e-5f;
        c.embedding_norm = c.tie_output = false;
    }
    return c;
}

static ur_model *model_of(ur_context *context, const ur_bert_config *c)
{
    ur_model *m;
    ur_err err;
    if (ur_bert_new(context, c, &m, &err) != UR_OK)
        fail_msg("%s", err.text);
    return m;
}

static ur_bert_data *data_of(ur_context *context, size_t count, const ur_bert_example *example,
                             size_t batch)
{
    ur_bert_data *d;
    ur_err err;
    if (ur_bert_data_new(context, count, example, CLS, SEP, batch, &d, &err) != UR_OK)
        fail_msg("%s", err.text);
    return d;
}

/* ---- heads and gradients ------------------------------------------------------------------------ */

enum { EXAMPLES = 3 };
static const size_t lengths[EXAMPLES][2] = {{2, 3}, {5, 1}, {3, 3}};

typedef struct heads {
    ur_bert_example example[EXAMPLES];
    size_t at[EXAMPLES][2];
    int32_t shown[EXAMPLES][2];
} heads;

static void make_heads(heads *h, const int32_t *ids)
{
    for (size_t i = 0; i < EXAMPLES; i++) {
        h->at[i][0] = i ? 2 : 1;
        h->at[i][1] = lengths[i][0] + 2;
        h->shown[i][0] = MASK;
        h->shown[i][1] = 7;
        h->example[i] = (ur_bert_example){.first = {ids, lengths[i][0]},
                                          .second = {ids + lengths[i][0], lengths[i][1]},
                                          .follows = i != 1,
                                          .masks = i ? 2 : 1,
                                          .at = h->at[i],
                                          .shown = h->shown[i]};
        ids += lengths[i][0] + lengths[i][1];
    }
}

static const char *of(int variant, const char *name)
{
    static char text[2][160];
    static int next;
    char *s = text[next++ % 2];
    snprintf(s, sizeof text[0], "%d.%s", variant, name);
    return s;
}

/* What transformers calls it in the golden case, where the bias of an output of its own was made one with
 * the other. */
static const char *name_of(const ur_param *p)
{
    return strcmp(p->name, "cls.predictions.decoder.bias") == 0 ? "cls.predictions.bias" : p->name;
}

static void load_weights(golden *g, int variant, ur_params *params)
{
    for (size_t i = 0; i < ur_params_count(params); i++) {
        const ur_param *p = ur_params_entry(params, i);
        char name[160];
        snprintf(name, sizeof name, "%d.param.%s", variant, name_of(p));
        if (p->alias_of < 0)
            memcpy(ur_param_values(params, (int)i), golden_floats(g, name, NULL),
                   p->count * sizeof(float));
    }
}

static void check_gradients(golden *g, int variant, const ur_params *p, const float *gradient)
{
    for (size_t k = 0; k < ur_params_count(p); k++) {
        const ur_param *w = ur_params_entry(p, k);
        char name[160];
        snprintf(name, sizeof name, "%d.grad.%s", variant, name_of(w));
        if (w->alias_of < 0 && !strstr(w->name, "key.bias")) /* zero but for rounding */
            golden_compare(g, name, gradient + w->offset, GRADIENT_BOUND);
    }
}

/* The logits, by the public parts. */
static void check_logits(golden *g, int variant, ur_tape *t, const ur_model *m, const heads *h)
{
    int32_t ids[EXAMPLES * 16], segments[EXAMPLES * 16];
    size_t n = 0, length[EXAMPLES], masks = 0;
    float words[2 * EXAMPLES * 29], *all;
    for (size_t i = 0; i < EXAMPLES; i++) {
        const ur_bert_example *e = &h->example[i];
        const size_t begin = n, end = e->first.length + e->second.length + 3;
        length[i] = end;
        for (size_t k = 0; k < end; k++, n++) {
            const bool second = k > e->first.length + 1;
            ids[n] = k == 0                                     ? CLS
                     : k == e->first.length + 1 || k == end - 1 ? SEP
                     : second ? e->second.ids[k - e->first.length - 2]
                              : e->first.ids[k - 1];
            segments[n] = second;
        }
        for (size_t k = 0; k < e->masks; k++)
            ids[begin + e->at[k]] = e->shown[k];
    }
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, EXAMPLES, length, NULL);
    ur_seq *y =
        ur_bert_encode(t, m, ur_seq_ints(t, layout, ids), ur_seq_ints(t, layout, segments), NULL);
    ur_tensor *next = ur_bert_next(t, m, ur_bert_pool(t, m, y));
    ur_tensor *told = ur_bert_words(t, m, ur_values(y));
    tape_fine(t);
    golden_compare(g, of(variant, "next"), ur_floats(next), FORWARD_BOUND);
    all = ur_floats(told);
    for (size_t i = 0; i < EXAMPLES; i++)
        for (size_t k = 0; k < h->example[i].masks; k++, masks++)
            memcpy(words + masks * 29, all + ur_row(layout, i, h->at[i][k]) * 29,
                   29 * sizeof *words);
    golden_compare(g, of(variant, "words"), words, FORWARD_BOUND);
}

static void check_heads(golden *g, ur_context *context, int variant)
{
    ur_bert_config c = config_of(variant);
    heads h;
    size_t which[] = {0, 1, 2};
    float loss;
    c.vocabulary = 29, c.hidden_size = 8, c.layers = 2, c.heads = 2;
    c.feed_forward_size = c.positions = 12;
    ur_model *m = model_of(context, &c);
    load_weights(g, variant, m->params);
    make_heads(&h, golden_ints(g, of(variant, "ids"), NULL));
    ur_bert_data *d = data_of(context, EXAMPLES, h.example, EXAMPLES);
    ur_tape *t = tape_of(context);
    float *gradient = calloc(ur_params_size(m->params), sizeof *gradient);
    ur_tape_start(t, UR_TRAIN, m->params, gradient, 0, 0);
    ur_tensor *y = m->kind->loss(t, m, d, EXAMPLES, which, 5.0);
    assert_int_equal(ur_backward(t, y), UR_OK);
    loss = ur_floats(y)[0];
    golden_compare(g, of(variant, "loss"), &loss, FORWARD_BOUND);
    check_gradients(g, variant, m->params, gradient);
    check_logits(g, variant, t, m, &h);
    ur_tape_free(t);
    ur_bert_data_free(d);
    ur_model_free(m);
    free(gradient);
}

static void test_heads(void **state)
{
    (void)state;
    golden g = golden_open("bert_pretraining");
    contexts all = contexts_new();
    for (int k = 0; k < all.count; k++)
        for (int variant = 0; variant < VARIANTS; variant++)
            check_heads(&g, all.at[k], variant);
    contexts_free(&all);
    golden_close(&g);
}

/* ---- a trajectory --------------------------------------------------------------------------------- */

enum { VOCABULARY = 1000, BATCH = 32, BATCHES = 10, STEPS = 100, COUNT = BATCH * BATCHES };

/* As tools/golden/bert_pretraining.py has it. */
static uint32_t below(uint32_t *x, uint32_t n)
{
    *x = (uint32_t)(((uint64_t)*x * 1103515245u + 12345u) & 0x7FFFFFFFu);
    return (*x >> 8) % n;
}

typedef struct formula {
    int32_t ids[COUNT * 32], shown[COUNT * 8];
    size_t at[COUNT * 8];
    ur_bert_example example[COUNT];
} formula;

static void draw_text(uint32_t *x, size_t n, int32_t **at, ur_ids *out)
{
    *out = (ur_ids){*at, n};
    for (size_t k = 0; k < n; k++)
        *(*at)++ = 5 + (int32_t)below(x, VOCABULARY - 5);
}

static void draw_masks(uint32_t *x, ur_bert_example *e, size_t *at, int32_t *shown)
{
    const size_t first = e->first.length, n = first + e->second.length + 3;
    size_t place = 1 + below(x, 3);
    e->at = at;
    e->shown = shown;
    for (size_t k = 0; k < 1 + n / 8; k++) {
        place += place == first + 1;
        const int32_t other = 5 + (int32_t)below(x, VOCABULARY - 5);
        at[e->masks] = place;
        shown[e->masks++] = k % 10 == 1      ? other
                            : k % 10         ? MASK
                            : place <= first ? e->first.ids[place - 1]
                                             : e->second.ids[place - first - 2];
        place += 2 + below(x, 3);
        if (place >= n - 1)
            break;
    }
}

static formula *make_examples(void)
{
    formula *f = calloc(1, sizeof *f);
    int32_t *ids = f->ids;
    uint32_t x = 1;
    for (size_t i = 0; i < COUNT; i++) {
        ur_bert_example *e = &f->example[i];
        draw_text(&x, 5 + i * 7 % 12, &ids, &e->first);
        draw_text(&x, 4 + i * 5 % 10, &ids, &e->second);
        draw_masks(&x, e, f->at + 8 * i, f->shown + 8 * i);
        e->follows = below(&x, 2) == 0;
    }
    return f;
}

static void make_weights(ur_params *params)
{
    for (size_t i = 0; i < ur_params_count(params); i++) {
        const ur_param *p = ur_params_entry(params, i);
        if (p->alias_of >= 0)
            continue;
        uint32_t x = 0;
        for (const char *c = name_of(p); *c; c++)
            x += (unsigned char)*c;
        x = x * 7 + (uint32_t)p->count;
        const bool embeddings = strstr(p->name, "embeddings") != NULL;
        const bool gain = strstr(p->name, "LayerNorm.weight") != NULL;
        const double scale = p->ndim < 2 ? 0.05 : embeddings ? 0.2 : pow((double)p->dim[1], -0.5);
        float *w = ur_param_values(params, (int)i);
        for (size_t k = 0; k < p->count; k++)
            w[k] = (float)((gain ? 1.0 : 0.0) +
                           scale * (2 * (below(&x, 1 << 20) / (double)(1 << 20)) - 1));
    }
}

static void check_path(golden *g, ur_context *context, int variant, const formula *f, size_t steps)
{
    ur_train_options o = ur_train_defaults();
    ur_bert_config c = config_of(variant);
    const float *words = golden_floats(g, of(variant, "path.words"), NULL);
    const float *next = golden_floats(g, of(variant, "path.next"), NULL);
    ur_trainer *trainer;
    ur_step step;
    double sum[2] = {0, 0};
    c.vocabulary = VOCABULARY, c.hidden_size = 64, c.layers = 2, c.heads = 2;
    c.feed_forward_size = 128, c.positions = 32;
    o.batch = BATCH;
    o.epochs = STEPS / BATCHES;
    o.lr = 1e-4;
    o.clip = 0;
    ur_model *m = model_of(context, &c);
    ur_bert_data *d = data_of(context, COUNT, f->example, BATCH);
    make_weights(m->params);
    assert_int_equal(ur_trainer_new(context, m, d, &o, &trainer, NULL), UR_OK);
    for (size_t i = 0; i < steps; i++) {
        assert_int_equal(ur_trainer_step(trainer, &step, NULL), UR_OK);
        if (step.batch == 1)
            sum[0] = sum[1] = 0;
        sum[0] += (double)words[i];
        sum[1] += (double)next[i];
        const double n = (double)step.batch;
        if (fabs(step.loss - (double)words[i] - (double)next[i]) > 1e-4 ||
            fabs(step.epoch_noted[0] - sum[0] / n) > 1e-4 ||
            fabs(step.epoch_noted[1] - sum[1] / n) > 1e-4)
            fail_msg(
                "variant %d, step %zu: loss %.7f of %.7f + %.7f; so far %.7f of %.7f, %.7f of %.7f",
                variant, i, step.loss, (double)words[i], (double)next[i], step.epoch_noted[0],
                sum[0] / n, step.epoch_noted[1], sum[1] / n);
    }
    ur_trainer_free(trainer);
    ur_bert_data_free(d);
    ur_model_free(m);
}

static void test_trajectory(void **state)
{
    (void)state;
    golden g = golden_open("bert_pretraining");
    ur_context *context = context_of(NULL, 2, NULL);
    formula *f = make_examples();
    for (int variant = 0; variant < VARIANTS; variant++)
        check_path(&g, context, variant, f, hurry() ? 12 : STEPS);
    free(f);
    ur_context_free(context);
    golden_close(&g);
}

/* ---- data and evaluation ---------------------------------------------------------------------------- */

/* Batches that are added up count by their masks; one by one, they are the same as evaluated. */
static void test_measure(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    formula *f = make_examples();
    ur_bert_config c = config_of(0);
    ur_measure sum;
    size_t which[BATCH], masks = 0;
    c.vocabulary = VOCABULARY, c.hidden_size = 16, c.layers = 1, c.heads = 2;
    c.feed_forward_size = 16, c.positions = 32;
    ur_model *m = model_of(context, &c);
    ur_model_init(m, 3);
    ur_bert_data *d = data_of(context, BATCH, f->example, 0);
    assert_int_equal(ur_evaluate(m, d, &sum, NULL), UR_OK);
    for (size_t i = 0; i < BATCH; i++) {
        which[i] = i;
        masks += f->example[i].masks;
    }
    assert_int_equal(sum.positions, masks);
    assert_int_equal(sum.examples, BATCH);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    ur_tensor *loss = m->kind->loss(t, m, d, BATCH, which, (double)masks);
    tape_fine(t);
    const double got = ur_measure_figure(m->kind, &sum, "loss");
    assert_true(fabs(got - (double)ur_floats(loss)[0]) < 1e-5);
    assert_true(fabs(got - ur_measure_figure(m->kind, &sum, "mlm_loss") -
                     ur_measure_figure(m->kind, &sum, "nsp_loss")) < 1e-9);
    const double right = ur_measure_figure(m->kind, &sum, "nsp_accuracy");
    assert_true(right >= 0 && right <= 1);
    ur_tape_free(t);
    ur_bert_data_free(d);
    ur_model_free(m);
    free(f);
    ur_context_free(context);
}

static void test_refused(void **state)
{
    (void)state;
    static const int32_t ids[] = {7, 8, 9};
    static const struct {
        size_t n_first, n_second, masks, at[2];
        const char *part;
    } cases[] = {
        {0, 2, 1, {1, 0}, "empty text"}, {1, 0, 1, {1, 0}, "empty text"},
        {1, 2, 0, {1, 0}, "no mask"},    {1, 2, 1, {0, 0}, "mask at 0"},
        {1, 2, 1, {2, 0}, "mask at 2"},  {1, 2, 1, {5, 0}, "mask at 5"},
        {1, 2, 2, {3, 3}, "mask at 3"},
    };
    ur_context *context = context_of(NULL, 1, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ur_bert_example e = {.first = {ids, cases[i].n_first},
                                   .second = {ids, cases[i].n_second},
                                   .masks = cases[i].masks,
                                   .at = cases[i].at,
                                   .shown = ids};
        ur_bert_data *d;
        ur_err err;
        assert_int_equal(ur_bert_data_new(context, 1, &e, CLS, SEP, 1, &d, &err), UR_INVALID);
        if (!strstr(err.text, cases[i].part))
            fail_msg("'%s' has no '%s'", err.text, cases[i].part);
        assert_null(d);
    }
    ur_bert_config c = config_of(0);
    c.vocabulary = 9, c.hidden_size = 4, c.heads = c.layers = 1, c.feed_forward_size = 4;
    c.pretraining = false;
    ur_model *m = model_of(context, &c);
    ur_tape *t = tape_of(context);
    ur_tape_start(t, UR_INFER, m->params, NULL, 0, 0);
    assert_null(ur_bert_next(t, m, NULL));
    tape_failed(t, UR_INVALID, "no head for the next sentence");
    ur_tape_free(t);
    ur_model_free(m);
    ur_context_free(context);
}

static ur_status use(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 1};
    const formula *f = arg;
    ur_bert_config c = config_of(1);
    ur_context *context;
    ur_model *m = NULL;
    ur_bert_data *d = NULL;
    ur_measure sum;
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    c.vocabulary = VOCABULARY, c.hidden_size = 4, c.heads = c.layers = 1;
    c.feed_forward_size = 4, c.positions = 32;
    status = ur_bert_new(context, &c, &m, err);
    if (status == UR_OK)
        status = ur_bert_data_new(context, 3, f->example, CLS, SEP, 0, &d, err);
    if (status == UR_OK)
        status = ur_evaluate(m, d, &sum, err);
    ur_bert_data_free(d);
    ur_model_free(m);
    ur_context_free(context);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    formula *f = make_examples();
    assert_true(failing_alloc_sweep(use, f) > 10);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),   cmocka_unit_test(test_trajectory),
        cmocka_unit_test(test_measure), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
