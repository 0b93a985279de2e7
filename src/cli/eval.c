/* eval.c - unroll eval: how often a trained model is right. */
#include "cli.h"

#include <math.h>
#include <string.h>

typedef struct eval_options {
    const char *data;
    size_t size;
    uint64_t seed;
    bool confusion;
} eval_options;

/* clang-format off */
static const ur_field fields[] = {
    {.name = "data", .metavar = "FILE", .type = UR_FIELD_TEXT,
     .offset = offsetof(eval_options, data), .least = 1,
     .help = "A file as for training; of kinds with built-in data also builtin:NAME (examples "
             "that no training with built-in data sees)."},
    {.name = "size", .metavar = "N", .type = UR_FIELD_SIZE, .offset = offsetof(eval_options, size),
     .least = 1, .most = 1e8, .shown = "5000", .help = "How many built-in examples."},
    {.name = "seed", .metavar = "N", .type = UR_FIELD_SEED, .offset = offsetof(eval_options, seed),
     .initial = "42", .shown = "that of the training", .help = "Of built-in examples."},
    {.name = "confusion", .type = UR_FIELD_BOOL, .offset = offsetof(eval_options, confusion),
     .shown = "", .help = "Show which label is taken for which, too (of at most 2,000 labels)."},
    {.name = NULL},
};
/* clang-format on */

/* Of the search what changes the answers of an evaluation. */
static bool has(const command *c, const ur_field *field)
{
    static const char *const searched[] = {"beam", "length_penalty", "penalty", NULL};
    (void)c;
    if (field >= fields && field < fields + sizeof fields / sizeof *fields)
        return true;
    for (const char *const *name = searched; *name; name++)
        if (strcmp(*name, field->name) == 0)
            return true;
    return false;
}

/* ---- what was measured --------------------------------------------------------------------- */

static double bits(double loss)
{
    return loss / log(2.0);
}

void print_measure(ur_run *run, const ur_measure *m)
{
    const ur_kind *kind = ur_run_kind(run);
    const double loss = ur_measure_figure(kind, m, "loss");
    const char *per = ur_kind_per(kind, ur_run_assets(run)->config);
    char text[GROUPED];
    for (const ur_figure *f = kind->figures; f && f->name; f++) {
        const double value = ur_measure_figure(kind, m, f->name);
        const char *signature = m->signature[f - kind->figures];
        const bool perplexity = f->average == UR_PERPLEXITY;
        printf("%-16s %8.4f %s   %s\n", f->title, f->percent ? 100 * value : value,
               f->percent ? "%" : " ",
               perplexity   ? per
               : *signature ? signature
                            : f->help);
        if (perplexity)
            printf("%-16s %8.4f     %s\n", "bits", bits(loss), per);
    }
    printf("%-16s %8.6f     %s%s\n", "loss", loss, kind->loss_is ? kind->loss_is : "mean over ",
           kind->loss_is ? "" : kind->measured_name);
    printf("%-16s %8s\n", kind->measured_name, grouped(m->positions, text));
    if (m->unknown)
        printf("%-16s %8s     of these are unknown to the model: never right, not in the loss\n",
               "", grouped(m->unknown, text));
    if (m->examples && m->examples != m->positions &&
        strcmp(kind->examples_name, kind->measured_name) != 0)
        printf("%-16s %8s\n", kind->examples_name, grouped(m->examples, text));
}

static void print_number(const char *name, double value)
{
    printf("\"%s\":", name);
    json_number(stdout, value);
    putchar(',');
}

static void print_json(ur_run *run, const ur_measure *m, const ur_confusion *confusion)
{
    const ur_kind *kind = ur_run_kind(run);
    const double loss = ur_measure_figure(kind, m, "loss");
    putchar('{');
    for (const ur_figure *f = kind->figures; f && f->name; f++) {
        print_number(f->name, ur_measure_figure(kind, m, f->name));
        if (*m->signature[f - kind->figures]) {
            printf("\"%s_signature\":", f->name);
            json_string(stdout, m->signature[f - kind->figures]);
            putchar(',');
        }
        if (f->average == UR_PERPLEXITY)
            print_number("bits", bits(loss));
    }
    print_number("loss", loss);
    printf("\"positions\":%zu,\"examples\":%zu", m->positions, m->examples);
    if (m->unknown)
        printf(",\"unknown\":%zu", m->unknown);
    if (confusion)
        print_label_json(ur_run_labels(run), confusion);
    puts("}");
}

/* ---- the verb ------------------------------------------------------------------------------ */

/* `--data FIRST SECOND`: the second file is what stands behind the run. */
bool join_data(command *c, ur_run *run, const char **data)
{
    if (c->n_arguments < 2)
        return true;
    if (ur_run_kind(run)->two_files)
        return (*data = two_files(c, *data, c->arguments[1])) != NULL;
    say_usage(c, "'%s' is one argument too many", c->arguments[1]);
    return false;
}

static int evaluate(command *c, ur_run *run)
{
    eval_options *o = c->own;
    if (!join_data(c, run, &o->data))
        return CODE_USAGE;
    const int code = set_reading(c, run);
    if (code != CODE_OK)
        return code;
    const ur_search_options *search = given_search(c);
    if (search && !ur_run_kind(run)->searches)
        return say_usage(c, "%s is a %s, whose evaluation searches for nothing", c->arguments[0],
                         ur_run_kind(run)->name);
    if (o->confusion && !ur_run_labels(run)) {
        say("%s is a %s, which has no labels", c->arguments[0], ur_run_kind(run)->name);
        return CODE_FAILURE;
    }
    ur_run_search(run, search);
    ur_pair_source source = {
        .data = o->data, .size = o->size, .seed = o->seed, .split = UR_SPLIT_VALID};
    ur_measure measure = {.examples = 0};
    ur_confusion *confusion = NULL;
    ur_err err;
    if (ur_run_folder(run) && !was_given(c, "seed"))
        source.seed = ur_run_settings_of(run)->train.seed;
    ur_status status = count_labels(run, o->confusion, &confusion, &err);
    if (status == UR_OK)
        status = ur_run_evaluate(run, &source, &measure, confusion, &err);
    if (status == UR_OK && !c->common.quiet)
        say_remarks(run);
    if (status == UR_OK && c->common.json) {
        print_json(run, &measure, confusion);
    } else if (status == UR_OK) {
        print_measure(run, &measure);
        if (confusion)
            print_label_table(ur_run_labels(run), confusion, ur_run_kind(run)->measured_name);
    }
    ur_confusion_free(ur_context_allocator(ur_run_assets(run)->context), confusion);
    return status == UR_OK ? CODE_OK : say_error(&err);
}

static int run_eval(command *c)
{
    const eval_options *o = c->own;
    if (c->n_arguments == 0)
        return say_usage(c, "the run is missing: unroll eval RUN --data FILE");
    if (!o->data)
        return say_usage(c, "--data is missing: a file as for training, or builtin:NAME");
    if (c->n_arguments > 2)
        return say_usage(c, "'%s' is one argument too many", c->arguments[2]);
    return with_run(c, evaluate);
}

static const char *const usage[] = {"eval RUN --data FILE [FILE] [options]", NULL};

const verb eval_verb = {
    .name = "eval",
    .summary = "measure how often a model is right",
    .usage = usage,
    .purpose =
        "Measures a trained model on other data. Of a model that answers: the answers that are "
        "right in every character when it goes on from what it wrote itself, and the characters "
        "that are right when each follows the right ones. Of a language model: its perplexity. Of "
        "a tagger or classifier: how often its labels are right, precision, recall and F1 of each, "
        "with --confusion also which is taken for which. Of answers that are parts of texts: exact "
        "match and F1, as SQuAD has them. RUN is a run's folder, or a model.safetensors or "
        "checkpoint from one.",
    .example = "  $ unroll eval runs/dates --data builtin:dates\n"
               "  accuracy         100.0000 %   whole answers, free-running\n"
               "  teacher-forced   100.0000 %   symbols, each after the right ones\n"
               "  loss             0.000026     mean over symbols\n"
               "  symbols            50,000\n"
               "  pairs               5,000\n"
               "  $ unroll eval runs/films --data test.txt\n"
               "  ...\n"
               "  accuracy          97.5000 %   labels that are right\n"
               "  F1                 0.9750     mean of the labels' F1\n"
               "  loss             0.089719     mean over texts\n"
               "  texts                 400\n"
               "\n"
               "  label  precision    recall        F1       texts\n"
               "  bad       0.9557    0.9949    0.9749         195\n"
               "  good      0.9949    0.9561    0.9751         205\n",
    .see_also = "unroll help train, unroll help predict",
    .fields = fields,
    .size = sizeof(eval_options),
    .json_help = "Print one object.",
    .threads = true,
    .reads = true,
    .weights = true,
    .searches = true,
    .has = has,
    .run = run_eval,
};
