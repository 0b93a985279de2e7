/* plot.c - unroll plot: pictures of how training went, of where a model looks, and of which labels
 * it confuses. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

typedef struct plot_options {
    const char *question, *data, *out;
    int which, over;
    size_t layer, head;
    bool all_heads, confusion;
} plot_options;

enum { MOST_HEADS = 1 << 20 };

static const char *over_name(size_t i)
{
    static const char *const names[] = {"epochs", "steps", "minutes"};
    return i < sizeof names / sizeof *names ? names[i] : NULL;
}

/* clang-format off */
static const ur_field fields[] = {
    {.name = "over", .type = UR_FIELD_ENUM, .offset = offsetof(plot_options, over), .word = over_name,
     .initial = "epochs",
     .help = "Along what the curves run: epochs, steps, or minutes of training without those of "
             "evaluation, to compare how long runs took."},
    {.name = "attention", .metavar = "TEXT", .type = UR_FIELD_TEXT,
     .offset = offsetof(plot_options, question),
     .help = "Draw where the model looks while it answers TEXT, in place of curves."},
    {.name = "which", .type = UR_FIELD_ENUM, .offset = offsetof(plot_options, which),
     .word = ur_attention_name, .initial = "cross",
     .help = "With --attention, of a Transformer: the answer that looks at the text (cross), the text at "
             "itself (encoder), or the answer at what of it was written before (decoder)."},
    {.name = "layer", .metavar = "N", .type = UR_FIELD_SIZE, .offset = offsetof(plot_options, layer),
     .most = MOST_HEADS, .shown = "the last one",
     .help = "The attention of this layer, counted from 1 at the side of the embedding."},
    {.name = "head", .metavar = "N", .type = UR_FIELD_SIZE, .offset = offsetof(plot_options, head),
     .most = MOST_HEADS, .shown = "the mean of all",
     .help = "The attention of this head, counted from 1."},
    {.name = "all_heads", .type = UR_FIELD_BOOL, .offset = offsetof(plot_options, all_heads),
     .help = "A picture of each head side by side, of all layers or those of --layer."},
    {.name = "confusion", .type = UR_FIELD_BOOL, .offset = offsetof(plot_options, confusion),
     .help = "Draw how often a tagger or classifier takes each label of --data for each."},
    {.name = "data", .metavar = "FILE", .type = UR_FIELD_TEXT,
     .offset = offsetof(plot_options, data), .least = 1, .shown = "the run's validation data",
     .belongs = "confusion=true", .help = "What --confusion counts: a file as for training."},
    {.name = "out", .metavar = "FILE", .type = UR_FIELD_TEXT, .offset = offsetof(plot_options, out),
     .least = 1, .shown = "in RUN/plots", .help = "The picture, an SVG file."},
    {.name = NULL},
};
/* clang-format on */

/* Where the picture goes, in fresh memory; NULL after saying why there is no such place. */
static char *picture_path(const command *c, int *code)
{
    const plot_options *o = c->own;
    const char *run = c->arguments[0];
    char *path;
    bool folder = false, exists = false;
    if (!o->out && (*code = find_folder(run, &folder, &exists)) != CODE_OK)
        return NULL;
    if (o->out) {
        path = strdup(o->out);
    } else if (!folder && exists) {
        *code = say_usage(c, "--out is missing: %s is not a run's folder", run);
        return NULL;
    } else {
        path = join_path(run, o->question          ? "plots/attention.svg"
                              : o->confusion       ? "plots/confusion.svg"
                              : c->n_arguments > 1 ? "plots/comparison.svg"
                                                   : "plots/curves.svg");
    }
    if (!path)
        *code = say_no_memory();
    return path;
}

/* RUN/plots may have been deleted; making it fails with the picture if it fails. */
static void make_plots(const command *c)
{
    const plot_options *o = c->own;
    char *plots = o->out ? NULL : join_path(c->arguments[0], "plots");
    if (plots)
        mkdir(plots, 0777);
    free(plots);
}

static int draw_attention(const command *c, ur_run *run, const char *path)
{
    const plot_options *o = c->own;
    ur_err err;
    make_plots(c);
    const ur_attention_view view = {
        .which = was_given(c, "which") ? ur_attention_name((size_t)o->which) : NULL,
        .layer = o->layer,
        .head = o->head,
        .all_heads = o->all_heads};
    return ur_run_plot_attention(run, o->question, &view, path, &err) == UR_OK ? CODE_OK
                                                                               : say_error(&err);
}

/* Of --data, or what the run was validated with. */
static int draw_confusion(const command *c, ur_run *run, const char *path)
{
    const plot_options *o = c->own;
    const ur_allocator *a = ur_context_allocator(ur_run_assets(run)->context);
    ur_measure measure;
    ur_confusion *confusion = NULL;
    ur_err err;
    const char *data = o->data ? o->data : ur_run_settings_of(run)->valid;
    if (!ur_run_labels(run)) {
        say("%s is a %s, which has no labels", c->arguments[0], ur_run_kind(run)->name);
        return CODE_FAILURE;
    }
    if (!data) {
        say("--data is missing: this run has no validation file");
        return CODE_INPUT;
    }
    const ur_pair_source source = {.data = data, .split = UR_SPLIT_VALID};
    ur_status status = count_labels(run, true, &confusion, &err);
    if (status == UR_OK)
        status = ur_run_evaluate(run, &source, &measure, confusion, &err);
    if (status == UR_OK) {
        make_plots(c);
        status = ur_run_plot_confusion(run, confusion, path, &err);
    }
    ur_confusion_free(a, confusion);
    return status == UR_OK ? CODE_OK : say_error(&err);
}

static int draw_curves(const command *c, ur_context *context, const char *path)
{
    ur_err err;
    make_plots(c);
    return ur_run_plot_curves(context, c->n_arguments, (const char *const *)c->arguments,
                              (ur_curves_over)((const plot_options *)c->own)->over, path,
                              &err) == UR_OK
               ? CODE_OK
               : say_error(&err);
}

static int draw(const command *c, ur_context *context, const char *path)
{
    const plot_options *o = c->own;
    if (!o->question && !o->confusion)
        return draw_curves(c, context, path);
    int code = CODE_OK;
    ur_run *run = open_run(c, context, c->arguments[0], &code);
    if (run)
        code = o->question ? draw_attention(c, run, path) : draw_confusion(c, run, path);
    ur_run_free(run);
    return code;
}

static void print_path(const char *path, bool json)
{
    if (!json) {
        puts(path);
        return;
    }
    fputs("{\"path\":", stdout);
    json_string(stdout, path);
    puts("}");
}

/* "png" where the path ends so and names another kind of picture; else NULL. */
static const char *other_format(const char *path)
{
    static const char *const endings[] = {"png", "pdf", "ps", "eps", "jpg", "jpeg", "gif", "webp"};
    const char *dot = path ? strrchr(path, '.') : NULL;
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot + 1, endings[i]) == 0)
            return endings[i];
    return NULL;
}

static int refuse_format(const command *c, const char *path, const char *ending)
{
    const int stem = (int)(strrchr(path, '.') - path);
    const bool vectors =
        strcmp(ending, "pdf") == 0 || strcmp(ending, "ps") == 0 || strcmp(ending, "eps") == 0;
    say("--out %s: pictures are SVG: --out %.*s.svg, and then", path, stem, path);
    say_more("rsvg-convert%s%s -o %.*s.%s %.*s.svg", vectors ? " -f " : "", vectors ? ending : "",
             stem, path, vectors ? ending : "png", stem, path);
    return say_try(c);
}

/* Options of --attention: what is wrong with them, or CODE_OK. */
static int check_view(const command *c)
{
    static const char *const names[] = {"which", "layer", "head", "all-heads"};
    const plot_options *o = c->own;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (was_given(c, names[i]) && !o->question)
            return say_usage(c, "--%s belongs to --attention", names[i]);
    if (was_given(c, "layer") && o->layer == 0)
        return say_usage(c, "--layer 0: layers are counted from 1");
    if (was_given(c, "head") && o->head == 0)
        return say_usage(c, "--head 0: heads are counted from 1");
    if (o->all_heads && o->head)
        return say_usage(c, "--head and --all-heads are two pictures: ask for one");
    return CODE_OK;
}

static int run_plot(command *c)
{
    const plot_options *o = c->own;
    const char *ending = other_format(o->out);
    if (ending)
        return refuse_format(c, o->out, ending);
    if (c->n_arguments == 0)
        return say_usage(c, "the run is missing: unroll plot RUN");
    if (o->question && c->n_arguments > 1)
        return say_usage(c, "--attention draws one run, %zu were given", c->n_arguments);
    if (o->confusion && c->n_arguments > 1)
        return say_usage(c, "--confusion draws one run, %zu were given", c->n_arguments);
    if (o->confusion && o->question)
        return say_usage(c, "--confusion and --attention are two pictures: ask for one");
    if (was_given(c, "over") && (o->confusion || o->question))
        return say_usage(c, "--over belongs to curves");
    int code = check_view(c);
    if (code != CODE_OK)
        return code;
    char *path = picture_path(c, &code);
    ur_context *context = path ? open_context(o->confusion ? 0 : 1, &code) : NULL;
    if (context)
        code = draw(c, context, path);
    if (code == CODE_OK)
        print_path(path, c->common.json);
    ur_context_free(context);
    free(path);
    return code;
}

static const char *const usage[] = {"plot RUN ... [--out FILE]",
                                    "plot RUN --attention TEXT [--layer N] [--head N] [--out FILE]",
                                    "plot RUN --confusion [--data FILE] [--out FILE]", NULL};

const verb plot_verb = {
    .name = "plot",
    .summary = "draw training curves, what a model attends to or confuses",
    .usage = usage,
    .purpose =
        "Draws what was measured over the epochs, of one run or of several together: accuracy, F1 "
        "and loss, or of language models perplexity in training and validation. Or it draws a "
        "map of where the model looked (across: the question) while it wrote each symbol of "
        "its answer (down), of a Transformer in any layer and head, or of a BERT, a run's or a "
        "published one's folder, while it read each piece of the text; or how often each label "
        "(down) "
        "was taken for each (across). Prints "
        "the path of the picture, which a browser opens: RUN/plots/curves.svg, "
        "attention.svg, confusion.svg, or comparison.svg of several runs, in the first "
        "one's folder.",
    .example = "  $ unroll plot runs/dates\n"
               "  runs/dates/plots/curves.svg\n"
               "  $ unroll plot runs/dates --attention \"september 27, 1994\"\n"
               "  runs/dates/plots/attention.svg\n"
               "  $ unroll plot runs/fra --attention \"my dog sees ten cats.\" --all-heads\n"
               "  runs/fra/plots/attention.svg\n"
               "  $ unroll plot runs/names --confusion --data test.txt\n"
               "  runs/names/plots/confusion.svg\n"
               "  $ unroll plot runs/with runs/without --out attention-or-not.svg\n"
               "  attention-or-not.svg\n"
               "  $ unroll plot runs/with runs/without --over minutes\n"
               "  runs/with/plots/comparison.svg\n",
    .see_also = "unroll help train",
    .fields = fields,
    .size = sizeof(plot_options),
    .json_help = "Print the picture's path as an object.",
    .run = run_plot,
};
