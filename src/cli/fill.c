/* fill.c - unroll fill: what stands behind [MASK], by a published BERT. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef struct fill_options {
    size_t best;
} fill_options;

/* clang-format off */
static const ur_field fields[] = {
    {.name = "best", .metavar = "N", .type = UR_FIELD_SIZE, .offset = offsetof(fill_options, best),
     .least = 1, .most = 1000, .initial = "5", .help = "The N most probable words of each [MASK]."},
    {.name = NULL},
};
/* clang-format on */

static void print_json(const char *text, size_t masks, size_t best, const ur_filling *f)
{
    fputs("{\"text\":", stdout);
    json_string(stdout, text);
    fputs(",\"masks\":[", stdout);
    for (size_t i = 0; i < masks * best; i++) {
        fputs(i % best ? "," : i ? "],[" : "[", stdout);
        fputs("{\"word\":", stdout);
        json_string(stdout, f[i].token);
        printf(",\"id\":%d,\"probability\":", (int)f[i].id);
        json_number(stdout, (double)f[i].probability);
        putchar('}');
    }
    puts("]]}");
}

static void print_lines(size_t masks, size_t best, const ur_filling *f)
{
    for (size_t i = 0; i < masks * best; i++) {
        if (i && i % best == 0)
            putchar('\n');
        printf("%s\t%.4f\n", f[i].token, (double)f[i].probability);
    }
}

/* Text `number` (from 1); where: "text", or the place of lines. */
static int fill_text(const command *c, ur_filler *filler, const char *text, const char *where,
                     size_t number)
{
    size_t best = ((const fill_options *)c->own)->best, masks;
    const size_t most = ur_wordpiece_size(ur_filler_wordpiece(filler));
    ur_err err;
    best = best < most ? best : most;
    ur_status status = ur_filler_masks(filler, text, &masks, &err);
    if (status != UR_OK) {
        say("%s %zu: %s", where, number, err.text);
        return exit_code(status);
    }
    ur_filling *f = malloc(masks * best * sizeof *f);
    if (!f)
        return say_no_memory();
    status = ur_filler_apply(filler, text, best, f, &err);
    if (status == UR_OK && c->common.json)
        print_json(text, masks, best, f);
    else if (status == UR_OK) {
        if (number > 1)
            putchar('\n');
        print_lines(masks, best, f);
    }
    free(f);
    return status == UR_OK ? flush_output() : say_error(&err);
}

typedef struct filling {
    const command *c;
    ur_filler *filler;
    const char *where;
} filling;

static int fill_texts(void *user, size_t count, const char *const *texts, size_t first)
{
    const filling *f = user;
    int code = CODE_OK;
    for (size_t i = 0; code == CODE_OK && i < count; i++)
        code = fill_text(f->c, f->filler, texts[i], f->where, first + i);
    return code;
}

static int fill(const command *c, ur_filler *filler)
{
    filling f = {c, filler, "text"};
    const line_texts lines = {&f, 1, &f.where, fill_texts, NULL};
    if (c->n_arguments == 2 && strcmp(c->arguments[1], "-") == 0)
        return take_lines(NULL, &lines);
    return fill_texts(&f, c->n_arguments - 1, (const char *const *)c->arguments + 1, 1);
}

static int run_fill(command *c)
{
    ur_filler *filler;
    ur_err err;
    int code;
    if (c->n_arguments == 0)
        return say_usage(c, "the folder is missing: unroll fill FOLDER TEXT");
    if (c->n_arguments == 1)
        return say_usage(c, "the text is missing; - reads lines from standard input");
    ur_context *context = open_context(c->common.threads, &code);
    if (!context)
        return code;
    if (ur_filler_open(context, c->arguments[0], &filler, &err) == UR_OK) {
        code = fill(c, filler);
        ur_filler_free(filler);
    } else {
        code = say_error(&err);
    }
    ur_context_free(context);
    return code;
}

static const char *const usage[] = {"fill FOLDER TEXT ... [options]",
                                    "fill FOLDER - < FILE [options]", NULL};

static const char *const notes[] = {
    "FOLDER is as Hugging Face's transformers write a BertForMaskedLM or BertForPreTraining, as "
    "bert-base-uncased: config.json, model.safetensors and vocab.txt; or a run of unroll train "
    "bert. A BERT that was saved without its head for masked words is refused.",
    NULL};

const verb fill_verb = {
    .name = "fill",
    .summary = "fill in masked words, by a published BERT",
    .usage = usage,
    .purpose =
        "Prints what a BERT holds most probable behind each [MASK] of a text: a word or a piece of "
        "one, a tab and its probability, a line each. A blank line stands between the masks, and "
        "between texts.",
    .example = "  $ unroll fill bert-base-uncased \"the [MASK] sat on the mat.\" --best 2\n",
    .notes = notes,
    .see_also = "unroll help embed",
    .fields = fields,
    .size = sizeof(fill_options),
    .json_help =
        "Print an object per text: text, and for each mask a list of word, id, probability.",
    .threads = true,
    .run = run_fill,
};
