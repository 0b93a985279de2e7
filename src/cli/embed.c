/* embed.c - unroll embed: texts as vectors, by a published BERT. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_TEXTS = 1024 }; /* that are handed on together, sorted by length inside */

typedef struct embed_options {
    const char *pool, *prompt, *in, *npy;
    bool normalise;
} embed_options;

#define AT(member) .offset = offsetof(embed_options, member)

/* clang-format off */
static const ur_field fields[] = {
    {.name = "pool", .metavar = "cls|mean|max", .type = UR_FIELD_NAME, AT(pool),
     .word = ur_embedder_pool_name, .shown = "as the folder says; the mean where it "
     "says nothing",
     .help = "What makes a vector: the output of [CLS], the mean over the text, or the largest of each "
             "feature. Also what else sentence-transformers has."},
    {.name = "normalise", .type = UR_FIELD_BOOL, AT(normalise), .alias = "normalize",
     .shown = "as the folder says", .help = "Vectors of length 1."},
    {.name = "prompt", .metavar = "NAME", .type = UR_FIELD_TEXT, AT(prompt), .least = 1,
     .shown = "as the folder says",
     .help = "Put one of the folder's prompts before each text (config_sentence_transformers.json)."},
    {.name = "in", .metavar = "FILE", .type = UR_FIELD_TEXT, AT(in), .least = 1, .shown = "",
     .help = "The lines of a file, as - takes those of standard input."},
    {.name = "npy", .metavar = "FILE", .type = UR_FIELD_TEXT, AT(npy), .least = 1, .shown = "",
     .help = "Write the vectors to a file of NumPy's, float32 of (texts, features), in place of "
             "printing them."},
    {.name = NULL},
};
/* clang-format on */

/* ---- NumPy's file ------------------------------------------------------------------------------ */

/* Written beside its place and renamed over it at the end, when the number of rows is known. */
typedef struct npy {
    FILE *to;
    char *partial;
    const char *path;
} npy;

enum { NPY_HEADER = 128 };

/* Version 1.0: magic, two bytes of version, two of length, a dictionary padded with spaces. */
static bool put_header(FILE *to, size_t rows, size_t width)
{
    char header[NPY_HEADER + 1];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10); /* 0x76 bytes follow */
    const int n =
        snprintf(header + 10, NPY_HEADER - 10,
                 "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, width);
    header[10 + n] = ' ';
    header[NPY_HEADER - 1] = '\n';
    return fwrite(header, 1, NPY_HEADER, to) == NPY_HEADER;
}

static int npy_failed(const npy *n)
{
    return say_system(n->path, "cannot be written");
}

static int npy_begin(npy *n, const char *path, size_t width)
{
    const size_t size = strlen(path) + 32;
    *n = (npy){.path = path, .partial = malloc(size)};
    if (!n->partial)
        return say_no_memory();
    snprintf(n->partial, size, "%s.%ld.partial", path, (long)getpid());
    n->to = fopen(n->partial, "wb");
    if (!n->to || !put_header(n->to, 0, width))
        return npy_failed(n);
    return CODE_OK;
}

/* Little-endian floats. */
static int npy_rows(const npy *n, size_t count, const float *x)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        const unsigned char bytes[] = {(unsigned char)bits, (unsigned char)(bits >> 8),
                                       (unsigned char)(bits >> 16), (unsigned char)(bits >> 24)};
        if (fwrite(bytes, 1, 4, n->to) != 4)
            return npy_failed(n);
    }
    return CODE_OK;
}

static int sync_file(int fd)
{
    int result;
    do
        result = fsync(fd);
    while (result != 0 && errno == EINTR);
    return result;
}

/* Closes the file, in its place when all went well. */
static int npy_end(npy *n, size_t rows, size_t width, int code)
{
    if (code == CODE_OK && (fseek(n->to, 0, SEEK_SET) != 0 || !put_header(n->to, rows, width) ||
                            fflush(n->to) != 0 || sync_file(fileno(n->to)) != 0))
        code = npy_failed(n);
    if (n->to && fclose(n->to) != 0 && code == CODE_OK)
        code = npy_failed(n);
    if (code == CODE_OK && rename(n->partial, n->path) != 0)
        code = npy_failed(n);
    if (code != CODE_OK && n->to)
        remove(n->partial);
    free(n->partial);
    return code;
}

/* ---- texts --------------------------------------------------------------------------------------- */

typedef struct embedding {
    ur_embedder *embedder;
    bool json, quiet;
    npy *file;         /* or NULL: vectors are printed */
    float *vectors;    /* (MOST_TEXTS, width) */
    const char *where; /* "text", "standard input: line": before a number */
    size_t texts, cut;
} embedding;

static void print_vector(const embedding *e, const char *text, size_t width, const float *x)
{
    if (e->json) {
        fputs("{\"text\":", stdout);
        json_string(stdout, text);
        fputs(",\"vector\":[", stdout);
    }
    for (size_t i = 0; i < width; i++)
        printf("%s%.9g", i == 0 ? "" : e->json ? "," : "\t", (double)x[i]);
    puts(e->json ? "]}" : "");
}

/* Up to MOST_TEXTS texts, of which the first is number `first` of all (from 1). */
static int embed_texts(embedding *e, size_t count, const char *const *texts, size_t first)
{
    const size_t width = ur_embedder_width(e->embedder);
    size_t cut, bad;
    ur_err err;
    const ur_status status =
        ur_embedder_apply(e->embedder, count, texts, e->vectors, &cut, &bad, &err);
    if (status != UR_OK && bad < count) {
        say("%s %zu: %s", e->where, first + bad, err.text);
        return exit_code(status);
    }
    if (status != UR_OK)
        return say_error(&err);
    e->texts += count;
    e->cut += cut;
    if (e->file)
        return npy_rows(e->file, count * width, e->vectors);
    for (size_t i = 0; i < count; i++)
        print_vector(e, texts[i], width, e->vectors + i * width);
    return flush_output();
}

static int embed_arguments(embedding *e, const command *c)
{
    const char *const *texts = (const char *const *)c->arguments + 1;
    const size_t count = c->n_arguments - 1;
    int code = CODE_OK;
    e->where = "text";
    for (size_t at = 0, n; code == CODE_OK && at < count; at += n) {
        n = texts_together(MOST_TEXTS, count - at, texts + at);
        code = embed_texts(e, n, texts + at, at + 1);
    }
    return code;
}

static int embed_lines(void *user, size_t count, const char *const *texts, size_t first)
{
    return embed_texts(user, count, texts, first);
}

static int embed_all(embedding *e, const command *c)
{
    const embed_options *o = c->own;
    const line_texts lines = {e, MOST_TEXTS, &e->where, embed_lines, NULL};
    const bool from_input = c->n_arguments == 2 && strcmp(c->arguments[1], "-") == 0;
    return o->in || from_input ? take_lines(o->in, &lines) : embed_arguments(e, c);
}

static void say_notes(const embedding *e)
{
    const char *remark;
    for (size_t i = 0; (remark = ur_embedder_remark(e->embedder, i)); i++)
        say("%s", remark);
    if (e->cut)
        say("%zu of %zu texts have more than %zu pieces of words: the end of each was not read",
            e->cut, e->texts, ur_embedder_longest(e->embedder));
}

static int embed(command *c, ur_embedder *embedder)
{
    const embed_options *o = c->own;
    const size_t width = ur_embedder_width(embedder);
    npy file = {.to = NULL};
    embedding e = {.embedder = embedder, .json = c->common.json, .quiet = c->common.quiet};
    e.vectors = malloc(MOST_TEXTS * width * sizeof *e.vectors);
    if (!e.vectors)
        return say_no_memory();
    int code = CODE_OK;
    if (o->npy) {
        e.file = &file;
        code = npy_begin(&file, o->npy, width);
    }
    if (code == CODE_OK)
        code = embed_all(&e, c);
    if (o->npy)
        code = npy_end(&file, e.texts, width, code);
    if (code == CODE_OK && !e.quiet)
        say_notes(&e);
    free(e.vectors);
    return code;
}

static int run_embed(command *c)
{
    const embed_options *o = c->own;
    const ur_embedder_options options = {was_given(c, "pool") ? o->pool : NULL, o->normalise,
                                         o->prompt};
    ur_embedder *embedder;
    ur_err err;
    int code;
    if (c->n_arguments == 0)
        return say_usage(c, "the folder is missing: unroll embed FOLDER TEXT");
    if (c->n_arguments == 1 && !o->in)
        return say_usage(c, "the text is missing; - reads lines from standard input");
    if (c->n_arguments > 1 && o->in)
        return say_usage(c, "--in takes the lines of a file; '%s' is one argument too many",
                         c->arguments[1]);
    if (o->npy && c->common.json)
        return say_usage(c, "--npy and --json: one of them");
    ur_context *context = open_context(c->common.threads, &code);
    if (!context)
        return code;
    if (ur_embedder_open(context, c->arguments[0], &options, &embedder, &err) == UR_OK) {
        code = embed(c, embedder);
        ur_embedder_free(embedder);
    } else {
        code = say_error(&err);
    }
    ur_context_free(context);
    return code;
}

static const char *const usage[] = {"embed FOLDER TEXT ... [options]",
                                    "embed FOLDER - < FILE [options]",
                                    "embed FOLDER --in FILE [options]", NULL};

static const char *const notes[] = {
    "FOLDER is as Hugging Face's transformers or sentence-transformers write it: config.json, "
    "model.safetensors and vocab.txt, and where they are there tokenizer_config.json, "
    "modules.json, "
    "1_Pooling, sentence_bert_config.json and config_sentence_transformers.json; or a run of "
    "unroll train bert. Texts of more "
    "pieces "
    "than the model reads are cut, which is said in the end. The vector of a text depends on the "
    "text "
    "alone, to the last bit: not on the other texts, the number of threads or the processor. An "
    "empty "
    "line has a vector, too, that of [CLS] [SEP].",
    NULL};

const verb embed_verb = {
    .name = "embed",
    .summary = "turn texts into vectors, by a published BERT",
    .usage = usage,
    .purpose =
        "Prints a vector for each text, or for each line of standard input, in their order: "
        "numbers "
        "with tabs between them, a line each. Texts of like meaning have vectors of like "
        "direction, "
        "where the model was trained for that, as those of sentence-transformers are: their scalar "
        "product, once they are normalised, is their similarity.",
    .example = "  $ unroll embed all-MiniLM-L6-v2 \"the cat sat\" \"a cat was sitting\"\n"
               "  $ unroll embed all-MiniLM-L6-v2 - --npy vectors.npy < sentences.txt\n"
               "  $ unroll embed all-MiniLM-L6-v2 --in sentences.txt --json > vectors.jsonl\n",
    .notes = notes,
    .see_also = "unroll help predict",
    .fields = fields,
    .size = sizeof(embed_options),
    .json_help = "Print an object per text: text, vector.",
    .threads = true,
    .run = run_embed,
};
