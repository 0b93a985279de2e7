/* test_embedder.c - texts as vectors against sentence-transformers (tests/golden/embedder and the folder
 * bert_tiny, made by tools/golden/embedder.py); the same bits whatever stands beside a text; folders of
 * other forms, and those that are refused. */
#include "support/contexts.h"
#include "support/failing_alloc.h"
#include "support/golden.h"
#include "unroll/embedder.h"
#include "unroll/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const char *const texts[] = {
    "the cat sat on the mat",
    "",
    "unable, running; CAF\xC3\x89 [MASK]",
    "hello world hello world hello world hello world hello world hello world hello world hello "
    "world "
    "hello world hello world hello world hello world hello world hello world hello world hello "
    "world "
    "hello world hello world hello world hello world ",
    "\xD0\xBF\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82 \xD0\x9C\xD0\xB8\xD1\x80 123",
    "\xE4\xB8\x9C\xE4\xBA\xAC \xE6\x97\xA5\xE6\x9C\xAC q zz"};
enum { TEXTS = sizeof texts / sizeof *texts, WIDTH = 8 };

static const char *tiny(void)
{
    static char path[512];
    const char *root = getenv("UNROLL_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/bert_tiny", root ? root : ".");
    return path;
}

static ur_embedder *opened(ur_context *context, const char *folder,
                           const ur_embedder_options *options)
{
    ur_embedder *e;
    ur_err err;
    if (ur_embedder_open(context, folder, options, &e, &err) != UR_OK)
        fail_msg("%s", err.text);
    return e;
}

/* Vectors of `count` texts, in fresh memory. */
static float *apply(ur_embedder *e, size_t count, const char *const *some, size_t *cut)
{
    float *x = malloc(count * ur_embedder_width(e) * sizeof *x);
    ur_err err;
    if (ur_embedder_apply(e, count, some, x, cut, NULL, &err) != UR_OK)
        fail_msg("%s", err.text);
    return x;
}

/* ---- against sentence-transformers ------------------------------------------------------------ */

static void compare(golden *g, ur_context *context, const char *tensor, ur_embedder_options o,
                    size_t width)
{
    ur_embedder *e = opened(context, tiny(), &o);
    size_t cut;
    assert_int_equal(ur_embedder_width(e), width);
    float *x = apply(e, TEXTS, texts, &cut);
    assert_int_equal(cut, o.prompt ? 3 : 1);
    golden_compare(g, tensor, x, FORWARD_BOUND);
    free(x);
    ur_embedder_free(e);
}

static void test_golden(void **state)
{
    (void)state;
    golden g = golden_open("embedder");
    ur_context *context = context_of(NULL, 2, NULL);
    const char *pool;
    size_t n = 0;
    compare(&g, context, "folder", (ur_embedder_options){0}, 2 * WIDTH);
    compare(&g, context, "query", (ur_embedder_options){.prompt = "query"}, 2 * WIDTH);
    for (; (pool = ur_embedder_pool_name(n)); n++)
        compare(&g, context, pool, (ur_embedder_options){.pool = pool}, WIDTH);
    assert_int_equal(n, 6);
    ur_context_free(context);
    golden_close(&g);
}

/* A text's vector alone, and in every batch, on every instruction set. */
static void test_bits(void **state)
{
    (void)state;
    enum { MANY = 600, SOME = 100 }; /* by all threads together, and by each for itself */
    const char *many[MANY];
    float want[TEXTS][2 * WIDTH];
    contexts all = contexts_new();
    for (size_t i = 0; i < MANY; i++)
        many[i] = texts[i * 5 % TEXTS];
    for (int k = 0; k < all.count; k++) {
        ur_embedder *e = opened(all.at[k], tiny(), NULL);
        for (size_t i = 0; i < TEXTS; i++) {
            float *x = apply(e, 1, &texts[i], NULL);
            if (k == 0)
                memcpy(want[i], x, sizeof want[i]);
            same_floats("alone", all.name[k], want[i], x, 2 * WIDTH);
            free(x);
        }
        for (size_t n = SOME; n <= MANY; n += MANY - SOME) {
            float *x = apply(e, n, many, NULL);
            for (size_t i = 0; i < n; i++)
                same_floats("batch", all.name[k], want[i * 5 % TEXTS], x + i * 2 * WIDTH,
                            2 * WIDTH);
            free(x);
        }
        assert_int_equal(ur_embedder_apply(e, 0, NULL, NULL, NULL, NULL, NULL), UR_OK);
        ur_embedder_free(e);
    }
    contexts_free(&all);
}

static void test_bad_text(void **state)
{
    (void)state;
    static const char *const some[] = {"the", "cat \xC3", "mat"};
    ur_context *context = context_of(NULL, 1, NULL);
    ur_embedder *e = opened(context, tiny(), NULL);
    float x[3 * 2 * WIDTH];
    size_t bad;
    ur_err err;
    assert_int_equal(ur_embedder_apply(e, 3, some, x, NULL, &bad, &err), UR_BAD_FILE);
    assert_int_equal(bad, 1);
    assert_non_null(strstr(err.text, "byte 5"));
    ur_embedder_free(e);
    ur_context_free(context);
}

/* ---- folders ------------------------------------------------------------------------------------ */

static const char *const files[] = {"config.json",
                                    "vocab.txt",
                                    "model.safetensors",
                                    "tokenizer_config.json",
                                    "modules.json",
                                    "1_Pooling/config.json",
                                    "sentence_bert_config.json",
                                    "config_sentence_transformers.json",
                                    "model.safetensors.index.json",
                                    "pytorch_model.bin"};
enum { FILES = sizeof files / sizeof *files };

static char copy[64]; /* a folder that a test changes */

static const char *in_copy(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", copy, name);
    return path;
}

static void put(const char *name, const char *bytes, size_t size)
{
    FILE *f = fopen(in_copy(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

/* A fresh copy of the tiny folder. */
static void make_copy(void)
{
    static char bytes[1 << 16];
    snprintf(copy, sizeof copy, "/tmp/unroll-bert-XXXXXX");
    assert_non_null(mkdtemp(copy));
    assert_int_equal(mkdir(in_copy("1_Pooling"), 0700), 0);
    for (size_t i = 0; i < FILES; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", tiny(), files[i]);
        FILE *f = fopen(path, "rb");
        if (!f)
            continue;
        put(files[i], bytes, fread(bytes, 1, sizeof bytes, f));
        fclose(f);
    }
}

static void remove_copy(void)
{
    for (size_t i = 0; i < FILES; i++)
        remove(in_copy(files[i]));
    rmdir(in_copy("1_Pooling"));
    assert_int_equal(rmdir(copy), 0);
}

/* Names as other versions wrote them: behind a prefix, LayerNorm's gamma and beta, heads beside them. */
static void rename_weights(const char *prefix, bool old)
{
    ur_st *st;
    char from[600];
    snprintf(from, sizeof from, "%s/model.safetensors", tiny());
    assert_int_equal(ur_st_open(NULL, from, &st, NULL), UR_OK);
    const size_t n = ur_st_count(st);
    ur_st_tensor tensors[64];
    char names[64][128];
    float *values[64] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const ur_st_info *info = ur_st_at(st, i);
        if (info->dtype != UR_ST_F32)
            continue;
        snprintf(names[count], sizeof names[0], "%s%s", prefix, info->name);
        char *norm = strstr(names[count], "LayerNorm.");
        if (norm && old)
            strcpy(norm + 10, strcmp(norm + 10, "weight") == 0 ? "gamma" : "beta");
        values[count] = malloc(info->count * sizeof(float));
        assert_int_equal(ur_st_read_floats(st, i, values[count], NULL), UR_OK);
        tensors[count] =
            (ur_st_tensor){names[count], UR_ST_F32, info->ndim, info->dims, values[count]};
        count++;
    }
    static const float head[2] = {1, 2};
    static const size_t two = 2;
    tensors[count++] = (ur_st_tensor){"cls.seq_relationship.bias", UR_ST_F32, 1, &two, head};
    assert_int_equal(ur_st_write(NULL, in_copy("model.safetensors"), tensors, count, NULL, 0, NULL),
                     UR_OK);
    for (size_t i = 0; i < count; i++)
        free(values[i]);
    ur_st_close(st);
}

static void check_same(ur_context *context)
{
    ur_embedder *one = opened(context, tiny(), NULL), *other = opened(context, copy, NULL);
    float *x = apply(one, TEXTS, texts, NULL), *y = apply(other, TEXTS, texts, NULL);
    assert_memory_equal(x, y, TEXTS * 2 * WIDTH * sizeof *x);
    free(x);
    free(y);
    ur_embedder_free(one);
    ur_embedder_free(other);
}

static void test_other_forms(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    make_copy();
    rename_weights("bert.", false);
    check_same(context);
    rename_weights("module.bert.", true);
    check_same(context);
    put_text(
        "tokenizer_config.json",
        "{\"tokenizer_class\": \"BertTokenizer\", \"mask_token\": {\"content\": \"[MASK]\"}, "
        "\"model_max_length\": 1e30, \"added_tokens_decoder\": {\"0\": {\"content\": \"[PAD]\", "
        "\"special\": true, \"lstrip\": false}, \"4\": {\"content\": \"[MASK]\"}}}");
    check_same(context);
    /* what sentence-transformers writes since version 6 */
    put_text("1_Pooling/config.json",
             "{\"embedding_dimension\": 8, \"pooling_mode\": [\"cls\", \"mean\"]}");
    put_text(
        "modules.json",
        "[{\"type\": \"sentence_transformers.base.modules.transformer.Transformer\", \"path\": "
        "\"\"},"
        "{\"type\": \"a.pooling.Pooling\", \"path\": \"1_Pooling\"}, {\"type\": \"x.Normalize\"}]");
    check_same(context);
    remove_copy();
    ur_context_free(context);
}

/* Without modules: the mean, not normalised, which is said. */
/* Nothing is read of the file once the folder is open: it may be replaced, shortened or gone. */
static void test_file_gone(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 2, NULL);
    make_copy();
    ur_embedder *e = opened(context, copy, NULL);
    float *x = apply(e, TEXTS, texts, NULL);
    assert_int_equal(truncate(in_copy("model.safetensors"), 10), 0);
    float *y = apply(e, TEXTS, texts, NULL);
    assert_memory_equal(x, y, TEXTS * 2 * WIDTH * sizeof *x);
    free(x);
    free(y);
    ur_embedder_free(e);
    remove_copy();
    ur_context_free(context);
}

static void test_no_modules(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    make_copy();
    remove(in_copy("modules.json"));
    remove(in_copy("sentence_bert_config.json"));
    remove(in_copy("tokenizer_config.json"));
    ur_embedder *plain = opened(context, copy, NULL);
    ur_embedder *unit = opened(context, copy, &(ur_embedder_options){.normalise = true});
    assert_int_equal(ur_embedder_width(plain), WIDTH);
    assert_int_equal(ur_embedder_longest(plain), 16); /* the positions */
    assert_non_null(strstr(ur_embedder_remark(plain, 0), "mean"));
    assert_null(ur_embedder_remark(plain, 1));
    float *x = apply(plain, TEXTS, texts, NULL), *y = apply(unit, TEXTS, texts, NULL);
    for (size_t i = 0; i < TEXTS; i++) {
        double product = 0, length = 0, one = 0;
        for (size_t k = i * WIDTH; k < (i + 1) * WIDTH; k++) {
            product += (double)x[k] * (double)y[k];
            length += (double)x[k] * (double)x[k];
            one += (double)y[k] * (double)y[k];
        }
        assert_true(one > 1 - 1e-6 && one < 1 + 1e-6);
        assert_true(product * product > length * (1 - 1e-6));
    }
    free(x);
    free(y);
    ur_embedder_free(plain);
    ur_embedder_free(unit);
    remove_copy();
    ur_context_free(context);
}

static void test_without_prompt(void **state)
{
    (void)state;
    static const char *const both[] = {"on the mat: the cat", "the cat"};
    ur_context *context = context_of(NULL, 1, NULL);
    make_copy();
    put_text("1_Pooling/config.json",
             "{\"pooling_mode_lasttoken\": true, \"include_prompt\": false}");
    ur_embedder *e = opened(context, copy, &(ur_embedder_options){.prompt = "query"});
    ur_embedder *none = opened(context, copy, &(ur_embedder_options){.prompt = "none"});
    float *x = apply(e, 1, both + 1, NULL), *y = apply(none, 1, both, NULL);
    assert_memory_equal(x, y, WIDTH * sizeof *x); /* the last piece is the same */
    free(x);
    free(y);
    ur_embedder_free(e);
    ur_embedder_free(none);
    put_text("1_Pooling/config.json",
             "{\"pooling_mode_mean_tokens\": true, \"include_prompt\": false}");
    e = opened(context, copy, &(ur_embedder_options){.prompt = "query"});
    none = opened(context, copy, NULL);
    x = apply(e, 1, both + 1, NULL), y = apply(none, 1, both, NULL);
    assert_memory_not_equal(x, y, WIDTH * sizeof *x); /* over fewer pieces */
    free(x);
    free(y);
    ur_embedder_free(e);
    ur_embedder_free(none);
    remove_copy();
    ur_context_free(context);
}

/* ---- what is refused ---------------------------------------------------------------------------- */

static void refuse(ur_context *context, const char *folder, ur_embedder_options o, ur_status status,
                   const char *part)
{
    ur_embedder *e;
    ur_err err;
    const ur_status got = ur_embedder_open(context, folder, &o, &e, &err);
    if (got != status || !strstr(err.text, part))
        fail_msg("%s: '%s' has no '%s'", ur_status_name(got), err.text, part);
    assert_null(e);
}

/* Writes the file (NULL: removes it) into a copy, which is then refused. */
static void refuse_with(ur_context *context, const char *name, const char *text, ur_status status,
                        const char *part)
{
    const ur_embedder_options none = {0};
    make_copy();
    if (text)
        put_text(name, text);
    else
        remove(in_copy(name));
    refuse(context, copy, none, status, part);
    remove_copy();
}

static void test_refused(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    const ur_embedder_options none = {0};
    refuse(context, "/nowhere", none, UR_BAD_FILE, "no such folder");
    refuse(context, tiny(), (ur_embedder_options){.pool = "sum"}, UR_INVALID, "no pooling sum");
    refuse(context, tiny(), (ur_embedder_options){.prompt = "passage"}, UR_INVALID, "passage");
    refuse_with(context, "config.json", NULL, UR_BAD_FILE, "config.json");
    refuse_with(context, "vocab.txt", NULL, UR_BAD_FILE, "vocab.txt");
    refuse_with(context, "model.safetensors", NULL, UR_BAD_FILE, "model.safetensors");
    refuse_with(context, "1_Pooling/config.json", NULL, UR_BAD_FILE, "1_Pooling/config.json");
    refuse_with(context, "config.json", "{\"model_type\": \"roberta\"}", UR_UNSUPPORTED, "roberta");
    refuse_with(context, "vocab.txt", "[UNK]\n[CLS]\n", UR_BAD_FILE, "[SEP]");
    refuse_with(context, "model.safetensors", "no tensors", UR_BAD_FILE, "model.safetensors");
    refuse_with(context, "tokenizer_config.json", "{\"tokenizer_class\": \"XLNetTokenizer\"}",
                UR_UNSUPPORTED, "XLNetTokenizer");
    refuse_with(context, "tokenizer_config.json", "{\"truncation_side\": \"left\"}", UR_UNSUPPORTED,
                "truncation_side");
    refuse_with(context, "tokenizer_config.json", "{\"never_split\": [\"a\"]}", UR_UNSUPPORTED,
                "never_split");
    refuse_with(context, "tokenizer_config.json", "{\"do_basic_tokenize\": false}", UR_UNSUPPORTED,
                "do_basic_tokenize");
    refuse_with(context, "tokenizer_config.json",
                "{\"additional_special_tokens\": [{\"content\": \"<extra>\"}]}", UR_BAD_FILE,
                "<extra>");
    refuse_with(
        context, "modules.json",
        "[{\"type\": \"a.Transformer\", \"path\": \"\"}, {\"type\": \"a.Pooling\", \"path\": "
        "\"1_Pooling\"}, {\"type\": \"sentence_transformers.models.Dense\", \"path\": "
        "\"2_Dense\"}]",
        UR_UNSUPPORTED, "module 2 is a Dense");
    refuse_with(
        context, "tokenizer_config.json",
        "{\"added_tokens_decoder\": {\"150\": {\"content\": \"<new>\", \"special\": true}}}",
        UR_BAD_FILE, "<new>");
    refuse_with(context, "tokenizer_config.json",
                "{\"added_tokens_decoder\": {\"5\": {\"content\": \"the\", \"special\": false}}}",
                UR_UNSUPPORTED, "the added token the");
    refuse_with(context, "tokenizer_config.json",
                "{\"added_tokens_decoder\": {\"4\": {\"content\": \"[MASK]\", \"lstrip\": true}}}",
                UR_UNSUPPORTED, "[MASK]");
    refuse_with(context, "modules.json", "[]", UR_BAD_FILE, "Transformer");
    refuse_with(context, "1_Pooling/config.json", "{\"word_embedding_dimension\": 9}", UR_BAD_FILE,
                "word_embedding_dimension");
    refuse_with(context, "1_Pooling/config.json", "{\"pooling_mode\": \"median\"}", UR_INVALID,
                "median");
    make_copy();
    remove(in_copy("model.safetensors"));
    put_text("pytorch_model.bin", "");
    refuse(context, copy, none, UR_UNSUPPORTED, "save_pretrained");
    put_text("model.safetensors.index.json", "{}");
    refuse(context, copy, none, UR_UNSUPPORTED, "max_shard_size");
    remove_copy();
    ur_context_free(context);
}

/* Tensors that are too many, too few, or of other shapes than config.json says; vocabularies of another
 * size than the embedding. */
static void test_misfits(void **state)
{
    (void)state;
    static const char sizes[] =
        "{\"vocab_size\": %s, \"hidden_size\": 8, \"num_hidden_layers\": %s, "
        "\"num_attention_heads\": 2, \"intermediate_size\": 12, "
        "\"max_position_embeddings\": 16}";
    ur_context *context = context_of(NULL, 1, NULL);
    char text[400];
    snprintf(text, sizeof text, sizes, "145", "1");
    refuse_with(context, "config.json", text, UR_BAD_FILE, "surplus encoder.layer.1.");
    snprintf(text, sizeof text, sizes, "145", "3");
    refuse_with(context, "config.json", text, UR_BAD_FILE, "missing encoder.layer.2.");
    snprintf(text, sizeof text, sizes, "146", "2");
    refuse_with(context, "config.json", text, UR_BAD_FILE, "(145,8), (146,8) expected");
    make_copy();
    rename_weights("encoder.", false);
    refuse(context, copy, (ur_embedder_options){0}, UR_BAD_FILE, "encoder.embeddings.word");
    remove_copy();
    make_copy();
    FILE *f = fopen(in_copy("vocab.txt"), "a");
    fputs("more\n", f);
    fclose(f);
    refuse(context, copy, (ur_embedder_options){0}, UR_BAD_FILE, "146 tokens");
    put_text("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n");
    ur_embedder *e = opened(context, copy, NULL);
    assert_non_null(strstr(ur_embedder_remark(e, 0), "4 tokens, the embedding 145"));
    ur_embedder_free(e);
    remove_copy();
    ur_context_free(context);
}

static ur_status use(const ur_allocator *a, ur_err *err, void *arg)
{
    const ur_options options = {.allocator = a, .threads = 1};
    const ur_embedder_options query = {.prompt = "query"};
    ur_context *context;
    ur_embedder *e = NULL;
    float x[TEXTS * 2 * WIDTH];
    (void)arg;
    ur_status status = ur_context_new(&options, &context, err);
    if (status != UR_OK)
        return status;
    status = ur_embedder_open(context, tiny(), &query, &e, err);
    if (status == UR_OK)
        status = ur_embedder_apply(e, TEXTS, texts, x, NULL, NULL, err);
    ur_embedder_free(e);
    ur_context_free(context);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    assert_true(failing_alloc_sweep(use, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),     cmocka_unit_test(test_bits),
        cmocka_unit_test(test_bad_text),   cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_no_modules), cmocka_unit_test(test_without_prompt),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_misfits),
        cmocka_unit_test(test_memory),     cmocka_unit_test(test_file_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
