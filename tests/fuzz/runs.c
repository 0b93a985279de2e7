/* runs.c - see runs.h. */
#include "runs.h"

#include <stdio.h>
#include <string.h>

/* ---- what is trained ------------------------------------------------------------------------------ */

static const char pairs[] = "1+1_2\n12+3_15\n2+2_4\n4+10_14\n";
static const char text[] = "the cat sat. the dog ran.\na cat ran. a dog sat. the end.\n"
                           "the cat. the dog. a cat.\n";
static const char tags[] = "the D\ncat N\nsat V\n\na D\ndog N\n\nthe D\ndog N\nran V\n";
static const char classes[] = "x\tthe cat sat\ny\ta dog ran\nx\tthe cat ran\ny\tdog\n";
static const char two[] = "go home\tva chez toi\ngo on\tva toi\ncome home\tviens chez toi\n";

static const fuzz_run runs[] = {
    {"seq2seq", "seq2seq", pairs, "1+2", NULL, {"hidden_size=4", "embed_size=4"}},
    {"peeky",
     "seq2seq",
     pairs,
     "1+2",
     NULL,
     {"hidden_size=4", "embed_size=5", "peeky=true", "attention=none", "cell=gru",
      "text.reverse_input=true"}},
    {"stack",
     "seq2seq",
     pairs,
     "1+2",
     NULL,
     {"network=transformer", "hidden_size=4", "heads=2", "layers=2", "tie=all"}},
    {"tagger", "tagger", tags, "the cat", NULL, {"hidden_size=4", "embed_size=4", "layers=2"}},
    {"classifier",
     "classifier",
     classes,
     "the cat",
     NULL,
     {"hidden_size=4", "embed_size=4", "bidirectional=average"}},
    {"language",
     "language_model",
     text,
     "the",
     NULL,
     {"hidden_size=4", "embed_size=4", "bptt=4", "text.tokenizer=word", "tied=true"}},
    {"writer",
     "language_model",
     text,
     "the",
     NULL,
     {"network=transformer", "hidden_size=4", "heads=2", "bptt=4", "embed_size=4"}},
    {"windows", "text_lstm", text, "the cat", NULL, {"hidden_size=4", "embed_size=4", "context=2"}},
    {"translation",
     "translation",
     two,
     "go home",
     NULL,
     {"hidden_size=4", "embed_size=4", "text.merges=5", "text.min_freq=1"}},
    {"transformer",
     "translation",
     two,
     "go home",
     NULL,
     {"translator=transformer", "hidden_size=4", "heads=2", "text.joint=false", "text.min_freq=1"}},
    {"bert",
     "bert",
     text,
     "the [MASK]",
     NULL,
     {"hidden_size=4", "num_attention_heads=2", "intermediate_size=4", "num_hidden_layers=1",
      "max_position_embeddings=24", "text.min_freq=1"}},
    {"heads", "bert_classifier", classes, "the cat", "bert", {NULL}},
    {"words", "bert_tagger", tags, "the cat", "bert", {NULL}},
};

size_t fuzz_run_count(void)
{
    return sizeof runs / sizeof *runs;
}

const fuzz_run *fuzz_run_at(size_t i)
{
    return &runs[i % fuzz_run_count()];
}

void fuzz_run_folder(const fuzz_run *run, char path[64])
{
    snprintf(path, 64, "base/%s", run->name);
}

void fuzz_run_data(const fuzz_run *run, char path[64])
{
    snprintf(path, 64, "data/%s", run->name);
}

/* ---- the files -------------------------------------------------------------------------------------- */

static const char *const names[FUZZ_FILES] = {
    "config.json",
    "vocab.txt",
    "labels.txt",
    "target.txt",
    "bpe.codes",
    "target.codes",
    "model.safetensors",
    "best.safetensors",
    "checkpoints/2.safetensors",
    "checkpoints/3.safetensors",
    "metrics.jsonl",
    "train.log",
    "tokenizer_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
};

static fuzz_image images[sizeof runs / sizeof *runs];

static bool is_weights(size_t file)
{
    const char *dot = strrchr(names[file], '.');
    return dot && strcmp(dot, ".safetensors") == 0;
}

static void put_bytes(fuzz_image *to, size_t file, const void *bytes, size_t size)
{
    uint8_t *fresh = malloc(size + 1);
    FUZZ_CHECK(fresh != NULL);
    if (size)
        memcpy(fresh, bytes, size);
    free(to->file[file].bytes);
    to->file[file].bytes = fresh;
    to->file[file].size = size;
}

static bool exists(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file)
        fclose(file);
    return file != NULL;
}

/* What sentence-transformers puts beside a model. */
static void publish(fuzz_image *to)
{
    static const char *const texts[] = {
        "[{\"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"},\n"
        " {\"path\": \"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"},\n"
        " {\"path\": \"2_Normalize\", \"type\": \"sentence_transformers.models.Normalize\"}]\n",
        "{\"max_seq_length\": 12, \"do_lower_case\": false}\n",
        "{\"prompts\": {\"query\": \"the: \"}, \"default_prompt_name\": null}\n",
        "{\"word_embedding_dimension\": 4, \"pooling_mode_mean_tokens\": true}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        put_bytes(to, FUZZ_FILES - 4 + i, texts[i], strlen(texts[i]));
}

/* ---- training ---------------------------------------------------------------------------------------- */

static void note_step(void *user, const ur_step *step, double rate, double left)
{
    fuzz_stop *stop = user;
    (void)step, (void)rate, (void)left;
    if (stop->left)
        stop->left--;
}

static bool stop_now(void *user)
{
    return ((const fuzz_stop *)user)->left == 0;
}

static double no_time(void *user)
{
    (void)user;
    return 0.0;
}

ur_run_hooks fuzz_hooks(fuzz_stop *stop)
{
    stop->left = 2;
    return (ur_run_hooks){
        .user = stop, .on_step = note_step, .should_stop = stop_now, .clock = no_time};
}

ur_context *fuzz_context(const ur_allocator *a)
{
    ur_context *context = NULL;
    ur_err err = {0};
    fuzz_well(ur_context_new(&(ur_options){.allocator = a, .threads = 1}, &context, &err), &err);
    return context;
}

static void must(ur_status status, const ur_err *err, const char *what)
{
    if (status != UR_OK)
        fuzz_fault(what, 0, err->text);
}

static void set(const ur_field *fields, void *config, const char *setting)
{
    char name[64];
    ur_err err = {0};
    const char *value = strchr(setting, '=') + 1;
    snprintf(name, sizeof name, "%.*s", (int)(value - setting - 1), setting);
    const ur_field *field = ur_field_find(fields, name);
    FUZZ_CHECK(field != NULL);
    must(ur_field_set(field, config, value, &err), &err, setting);
}

static void train(const ur_allocator *a, const fuzz_run *r)
{
    char folder[64], data[64], source[64];
    ur_context *context = fuzz_context(a);
    const ur_kind *kind = ur_kind_find(context, r->kind);
    void *config = calloc(1, kind->config_size);
    ur_run *run, *from = NULL;
    ur_err err = {0};
    ur_run_settings settings = ur_run_defaults(kind);
    fuzz_run_folder(r, folder);
    fuzz_run_data(r, data);
    fuzz_put(data, r->data, strlen(r->data));
    settings.data = data;
    settings.valid = strcmp(r->kind, "translation") == 0 ? NULL : data;
    settings.valid_split = 0.0;
    settings.train.max_steps = 2;
    settings.train.batch = 2;
    settings.train.batch_tokens = 0;
    settings.train.epochs = 5;
    ur_kind_defaults(kind, config);
    if (r->start) {
        snprintf(source, sizeof source, "base/%s", r->start);
        settings.init_from = source;
        must(ur_run_open_start(context, kind, source, &from, &err), &err, r->name);
        ur_fields_take(kind->fields, config, ur_run_assets(from)->config);
    }
    for (const char *const *s = r->config; *s; s++)
        set(kind->fields, config, *s);
    must(ur_run_create(context, folder, &settings, r->kind, config, &run, &err), &err, r->name);
    fuzz_stop stop;
    const ur_run_hooks hooks = fuzz_hooks(&stop);
    stop.left = SIZE_MAX;
    must(ur_run_train(run, &hooks, &err), &err, r->name);
    ur_run_free(run);
    ur_run_free(from);
    free(config);
    ur_context_free(context);
}

/* Paths in config.json are made relative, so that the same input means the same in every process. */
static void shorten(fuzz_image *image)
{
    char *at = (char *)image->file[0].bytes;
    at[image->file[0].size] = '\0';
    for (char *name; (name = strstr(at, "\"/")) != NULL; at = name + 1) {
        char *data = strstr(name, "data/"), *base = strstr(name, "base/");
        char *from = data && (!base || data < base) ? data : base;
        FUZZ_CHECK(from != NULL);
        memmove(name + 1, from, strlen(from) + 1);
    }
    image->file[0].size = strlen((char *)image->file[0].bytes);
}

void fuzz_make_runs(const ur_allocator *a)
{
    for (size_t i = 0; i < fuzz_run_count(); i++) {
        train(a, &runs[i]);
        for (size_t f = 0; f < FUZZ_FILES; f++) {
            char path[128];
            snprintf(path, sizeof path, "base/%s/%s", runs[i].name, names[f]);
            if (exists(path))
                images[i].file[f].bytes = fuzz_get(path, &images[i].file[f].size);
        }
        shorten(&images[i]);
        char path[128];
        snprintf(path, sizeof path, "base/%s/config.json", runs[i].name);
        fuzz_put(path, images[i].file[0].bytes, images[i].file[0].size);
        if (strncmp(runs[i].kind, "bert", 4) == 0)
            publish(&images[i]);
    }
}

/* ---- damage ------------------------------------------------------------------------------------------ */

/* `out` bytes from `at` on give way to `in` others. */
static void splice(fuzz_image *image, size_t file, size_t at, size_t out, const uint8_t *bytes,
                   size_t in)
{
    const size_t size = image->file[file].size;
    const uint8_t *old = image->file[file].bytes;
    at = at < size ? at : size;
    out = out < size - at ? out : size - at;
    uint8_t *fresh = malloc(size - out + in + 1);
    FUZZ_CHECK(fresh != NULL);
    if (at)
        memcpy(fresh, old, at);
    if (in)
        memcpy(fresh + at, bytes, in);
    if (size > at + out)
        memcpy(fresh + at + in, old + at + out, size - at - out);
    free(image->file[file].bytes);
    image->file[file].bytes = fresh;
    image->file[file].size = size - out + in;
}

/* The header of a safetensors file has `more` bytes more. */
static void mend_length(fuzz_image *image, size_t file, size_t before)
{
    uint64_t length = 0;
    uint8_t *bytes = image->file[file].bytes;
    if (!is_weights(file) || image->file[file].size < 8)
        return;
    for (int i = 0; i < 8; i++)
        length |= (uint64_t)bytes[i] << 8 * i;
    length += image->file[file].size - before;
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(length >> 8 * i);
}

static const uint8_t *find(const uint8_t *in, size_t size, fuzz_bytes what)
{
    for (size_t i = 0; what.left && i + what.left <= size; i++)
        if (memcmp(in + i, what.at, what.left) == 0)
            return in + i;
    return NULL;
}

/* The value behind a key, in JSON or in JSON within a string. */
static void set_value(fuzz_image *image, size_t file, fuzz_bytes key, fuzz_bytes value)
{
    const uint8_t *bytes = image->file[file].bytes;
    const size_t size = image->file[file].size;
    const uint8_t *found = bytes ? find(bytes, size, key) : NULL;
    if (!found)
        return;
    size_t at = (size_t)(found - bytes) + key.left, end;
    while (at < size && strchr("\\\": ", bytes[at]) && bytes[at])
        at++;
    for (end = at; end < size && !(strchr("\\,}]\n", bytes[end]) && bytes[end]); end++)
        ;
    splice(image, file, at, end - at, value.at, value.left);
}

static size_t two_bytes(fuzz_bytes *from)
{
    const size_t low = fuzz_byte(from);
    return low | (size_t)fuzz_byte(from) << 8;
}

static fuzz_bytes take(fuzz_bytes *from, size_t count)
{
    const fuzz_bytes taken = {from->at, count < from->left ? count : from->left};
    from->at += taken.left;
    from->left -= taken.left;
    return taken;
}

static void change(fuzz_image *image, fuzz_bytes *input)
{
    const uint8_t byte = fuzz_byte(input);
    const size_t file = fuzz_byte(input) % FUZZ_FILES, before = image->file[file].size;
    const unsigned operation = (byte & 15) % 9;
    fuzz_bytes part, other;
    size_t at;
    switch (operation) {
    case 0:
        part = fuzz_part(input);
        put_bytes(image, file, part.at, part.left);
        break;
    case 1:
    case 2:
        at = two_bytes(input);
        part = take(input, fuzz_byte(input));
        splice(image, file, at, operation == 1 ? part.left : 0, part.at, part.left);
        break;
    case 3:
        at = two_bytes(input);
        splice(image, file, at, fuzz_byte(input), NULL, 0);
        break;
    case 4:
        splice(image, file, two_bytes(input), SIZE_MAX, NULL, 0);
        break;
    case 5:
        free(image->file[file].bytes);
        image->file[file].bytes = NULL;
        image->file[file].size = 0;
        break;
    case 6:
        put_bytes(image, file, input->at, input->left);
        input->left = 0;
        break;
    case 7:
        at = fuzz_byte(input) % fuzz_run_count();
        if (images[at].file[file].bytes)
            put_bytes(image, file, images[at].file[file].bytes, images[at].file[file].size);
        break;
    default:
        part = fuzz_part(input);
        other = fuzz_part(input);
        set_value(image, file, part, other);
        break;
    }
    if ((byte & 16 && operation < 4 && operation > 0) || operation == 8)
        mend_length(image, file, before);
}

void fuzz_damage(size_t which, fuzz_bytes input, const char *path)
{
    enum { MOST = 8 };
    const fuzz_image *base = &images[which % fuzz_run_count()];
    fuzz_image image = {0};
    for (size_t f = 0; f < FUZZ_FILES; f++)
        if (base->file[f].bytes)
            put_bytes(&image, f, base->file[f].bytes, base->file[f].size);
    for (int i = 0; i < MOST && input.left; i++)
        change(&image, &input);
    fuzz_remove(path);
    for (size_t f = 0; f < FUZZ_FILES; f++) {
        char name[128];
        snprintf(name, sizeof name, "%s/%s", path, names[f]);
        if (image.file[f].bytes)
            fuzz_put(name, image.file[f].bytes, image.file[f].size);
        free(image.file[f].bytes);
    }
}
