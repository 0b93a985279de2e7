/* plot.c - unroll plot: pictures of how training went, of where a model looks, and of which labels it
 * confuses. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const option options[] = {
    {"attention", "TEXT", OPTION_TEXT, OPTION_AT(question),
     .help = "Draw where the model looks while it answers TEXT, in place of curves.",
     .standard = ""},
    {"confusion", NULL, OPTION_FLAG, OPTION_AT(confusion),
     .help = "Draw how often a tagger or classifier takes each label of --data for each.",
     .standard = ""},
    {"data", "FILE", OPTION_TEXT, OPTION_AT(data), .least = 1,
     .help = "What --confusion counts: a file as for training.",
     .standard = "the run's validation data"},
    {"out", "FILE", OPTION_TEXT, OPTION_AT(out), .least = 1, .help = "The picture, an SVG file.",
     .standard = "in RUN/plots"},
    OPTION_QUIET,
    OPTION_JSON("Print the picture's path as an object."),
    OPTION_HELP,
};

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Where the picture goes, in fresh memory; NULL after saying why there is no such place. */
static char *picture_path(const settings *s, int *code)
{
    const char *run = s->arguments[0];
    char *path;
    if (s->out) {
        path = strdup(s->out);
    } else if (!is_folder(run) && errno != ENOENT) {
        *code = say_usage(&plot_verb, "--out is missing: %s is not a run's folder", run);
        return NULL;
    } else {
        path = join_path(run, s->question          ? "plots/attention.svg"
                              : s->confusion       ? "plots/confusion.svg"
                              : s->n_arguments > 1 ? "plots/comparison.svg"
                                                   : "plots/curves.svg");
    }
    if (!path)
        *code = say_no_memory();
    return path;
}

/* RUN/plots may have been deleted; making it fails with the picture if it fails. */
static void make_plots(const settings *s)
{
    char *plots =
        s->out || !is_folder(s->arguments[0]) ? NULL : join_path(s->arguments[0], "plots");
    if (plots)
        mkdir(plots, 0777);
    free(plots);
}

static ur_status draw_attention(ur_context *context, const settings *s, const char *path,
                                ur_err *err)
{
    ur_run *run;
    ur_status status = ur_run_open(context, s->arguments[0], &run, err);
    if (status != UR_OK)
        return status;
    make_plots(s);
    status = ur_run_plot_attention(run, s->question, path, err);
    ur_run_free(run);
    return status;
}

/* Of --data, or the file that the run was validated with. */
static ur_status draw_confusion(ur_context *context, const settings *s, const char *path,
                                ur_err *err)
{
    ur_run *run;
    ur_measure measure;
    ur_confusion *confusion = NULL;
    ur_status status = ur_run_open(context, s->arguments[0], &run, err);
    if (status != UR_OK)
        return status;
    const char *data = s->data ? s->data : ur_run_settings_of(run)->valid;
    if (!data && ur_run_labels(run)) {
        *err = (ur_err){UR_INVALID, "--data is missing: this run has no validation file"};
        status = UR_INVALID;
    }
    if (status == UR_OK)
        status = ur_run_confusion(run, data ? data : "", &measure, &confusion, err);
    make_plots(s);
    if (status == UR_OK)
        status = ur_run_plot_confusion(run, confusion, path, err);
    ur_confusion_free(ur_context_allocator(context), confusion);
    ur_run_free(run);
    return status;
}

static ur_status draw_curves(ur_context *context, const settings *s, const char *path, ur_err *err)
{
    make_plots(s);
    return ur_run_plot_curves(context, s->n_arguments, (const char *const *)s->arguments, path,
                              err);
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

static int run_plot(const settings *s)
{
    const verb *v = &plot_verb;
    if (s->n_arguments == 0)
        return say_usage(v, "the run is missing: unroll plot RUN");
    if (s->question && s->n_arguments > 1)
        return say_usage(v, "--attention draws one run, %zu were given", s->n_arguments);
    if (s->confusion && s->n_arguments > 1)
        return say_usage(v, "--confusion draws one run, %zu were given", s->n_arguments);
    if (s->confusion && s->question)
        return say_usage(v, "--confusion and --attention are two pictures: ask for one");
    if (s->data && !s->confusion)
        return say_usage(v, "--data belongs to --confusion");
    int code = CODE_OK;
    char *path = picture_path(s, &code);
    if (!path)
        return code;
    ur_err err;
    ur_context *context = open_context(s->confusion ? 0 : 1, &code);
    if (context) {
        ur_status status = s->question    ? draw_attention(context, s, path, &err)
                           : s->confusion ? draw_confusion(context, s, path, &err)
                                          : draw_curves(context, s, path, &err);
        if (status == UR_OK)
            print_path(path, s->json);
        else
            code = s->question ? say_open_error(context, s->arguments[0], &err) : say_error(&err);
    }
    ur_context_free(context);
    free(path);
    return code;
}

static const option_table own = OPTION_TABLE(options);
static const option_table *const tables[] = {&own, NULL};

static const char *const usage[] = {"plot RUN ... [--out FILE]",
                                    "plot RUN --attention TEXT [--out FILE]",
                                    "plot RUN --confusion [--data FILE] [--out FILE]", NULL};

const verb plot_verb = {
    .name = "plot",
    .summary = "draw training curves, what a model attends to or confuses",
    .usage = usage,
    .purpose =
        "Draws accuracy and loss over the epochs of one run or of several together, or a "
        "map of where the model looked (across: the question) while it wrote each symbol of "
        "its answer (down), or how often each label (down) was taken for each (across). Prints "
        "the path of the picture, which a browser opens: RUN/plots/curves.svg, "
        "attention.svg, confusion.svg, or comparison.svg of several runs, in the first "
        "one's folder.",
    .example = "  $ unroll plot runs/dates\n"
               "  runs/dates/plots/curves.svg\n"
               "  $ unroll plot runs/dates --attention \"september 27, 1994\"\n"
               "  runs/dates/plots/attention.svg\n"
               "  $ unroll plot runs/names --confusion --data test.txt\n"
               "  runs/names/plots/confusion.svg\n"
               "  $ unroll plot runs/with runs/without --out attention-or-not.svg\n"
               "  attention-or-not.svg\n",
    .see_also = "unroll help train",
    .tables = tables,
    .run = run_plot,
};
