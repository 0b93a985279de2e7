/* progress.c - what is seen of a training while it runs: on a terminal a line that rewrites itself,
 * everywhere one line per evaluation, with --json objects on standard output. */
#include "cli.h"

#include <math.h>
#include <string.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

#define DURATION 24

/* 75.2 as 1:15, 3725 as 1:02:05. */
static const char *duration(double seconds, char text[DURATION])
{
    if (!(seconds >= 0 && seconds < 3.6e8)) {
        snprintf(text, DURATION, "?");
        return text;
    }
    unsigned long all = (unsigned long)(seconds + 0.5);
    if (all >= 3600)
        snprintf(text, DURATION, "%lu:%02lu:%02lu", all / 3600, all / 60 % 60, all % 60);
    else
        snprintf(text, DURATION, "%lu:%02lu", all / 60, all % 60);
    return text;
}

progress progress_start(const ur_run *run, bool quiet, bool json)
{
    const char *name = getenv("TERM");
    const bool plain = !name || strcmp(name, "dumb") == 0;
    return (progress){
        .run = run,
        .kind = ur_run_kind(run),
        .best = (double)NAN,
        .quiet = quiet,
        .json = json,
        .terminal = !quiet && !plain && isatty(STDERR_FILENO),
        .drawn = -1,
    };
}

void progress_clear(progress *p)
{
    if (p->line_open)
        fputs("\r\033[K", stderr);
    p->line_open = false;
}

static size_t terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

/* Adds a piece if the line, which starts over before the last column, has room for it. */
static void add_piece(char *line, size_t width, const char *piece)
{
    size_t used = strlen(line), length = strlen(piece);
    if (used + length < width)
        memcpy(line + used, piece, length + 1);
}

/* That were asked for: --minutes changes them. */
static size_t epochs_of(const progress *p)
{
    return ur_run_settings_of(p->run)->train.epochs;
}

#define BAR 20

static void draw(progress *p, const ur_step *step, double rate, double left)
{
    char line[256] = "", piece[64], text[GROUPED], time[DURATION], bar[BAR + 1];
    size_t width = terminal_width();
    if (width > sizeof line)
        width = sizeof line;
    size_t done = step->batches ? BAR * step->batch / step->batches : 0;
    for (size_t i = 0; i < BAR; i++)
        bar[i] = i < done ? '#' : '.';
    bar[BAR] = '\0';
    snprintf(piece, sizeof piece, "epoch %zu/%zu", step->epoch, epochs_of(p));
    add_piece(line, width, piece);
    if (width >= 90) {
        snprintf(piece, sizeof piece, "  %s", bar);
        add_piece(line, width, piece);
    }
    snprintf(piece, sizeof piece, " %3zu %%",
             step->batches ? 100 * step->batch / step->batches : (size_t)0);
    add_piece(line, width, piece);
    snprintf(piece, sizeof piece, step->epoch_loss < 1e5 ? "  loss %.4f" : "  loss %.3e",
             step->epoch_loss);
    add_piece(line, width, piece);
    snprintf(piece, sizeof piece, "  %s %s/s", grouped((size_t)rate, text), p->kind->unit);
    add_piece(line, width, piece);
    snprintf(piece, sizeof piece, "  %s left", duration(left, time));
    add_piece(line, width, piece);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
    p->line_open = true;
}

static void on_step(void *user, const ur_step *step, double rate, double left)
{
    progress *p = user;
    p->step = step->step;
    if (!p->terminal)
        return;
    double time = now();
    if (p->drawn >= 0 && time - p->drawn < 0.1 && !step->epoch_ended)
        return;
    p->drawn = time;
    draw(p, step, rate >= 0 && rate < 1e15 ? rate : 0, left);
}

static void write_json(const progress *p, const ur_metrics *m)
{
    char name[UR_METRIC_NAME];
    printf("{\"epoch\":%zu,\"step\":%zu,\"lr\":", m->epoch, m->step);
    json_number(stdout, m->lr);
    for (size_t i = 0; ur_metrics_name(p->kind, i, name); i++) {
        printf(",\"%s\":", name);
        json_number(stdout, ur_metrics_figure(p->kind, m, name));
    }
    puts("}");
    fflush(stdout);
}

/* trained: the figure of training, of one that is noted. */
static void write_figure(const ur_figure *figure, const ur_metrics *m, double trained, double value)
{
    if (figure->noted) {
        fprintf(stderr, "  %s %.4f", figure->title, trained);
        if (!isnan(value))
            fprintf(stderr, "  validation %.4f", value);
    } else if (figure->average == UR_PERPLEXITY) {
        fprintf(stderr, m->train_perplexity < 1e5 ? "  perplexity %.3f" : "  perplexity %.3e",
                m->train_perplexity);
        if (!isnan(value))
            fprintf(stderr, value < 1e5 ? "  validation %.3f" : "  validation %.3e", value);
    } else if (!isnan(value)) {
        fprintf(stderr, figure->percent ? "  %s %6.2f %%" : "  %s %.4f", figure->title,
                figure->percent ? 100 * value : value);
    }
}

/* The line of an evaluation: the loss and those of the kind's figures that matter most. */
static void write_line(const progress *p)
{
    const ur_metrics *m = &p->metrics;
    char text[GROUPED], speed[UR_METRIC_NAME];
    fprintf(stderr, m->train_loss < 1e5 ? "epoch %*zu/%zu  loss %.4f" : "epoch %*zu/%zu  loss %.3e",
            snprintf(NULL, 0, "%zu", epochs_of(p)), m->epoch, epochs_of(p), m->train_loss);
    const ur_figure *figures = p->kind->figures;
    /* a validation perplexity says what the loss would */
    if (!isnan(m->valid_loss) && !ur_kind_perplexity(p->kind))
        fprintf(stderr, m->valid_loss < 1e5 ? "  validation %.4f" : "  validation %.3e",
                m->valid_loss);
    for (size_t i = 0; figures && figures[i].name; i++)
        if (figures[i].headline)
            write_figure(&figures[i], m, figures[i].noted ? m->train[i] : (double)NAN, m->valid[i]);
    snprintf(speed, sizeof speed, "%s_per_second", p->kind->unit);
    const double x = ur_metrics_figure(p->kind, m, speed);
    fprintf(stderr, "  %s %s/s  %.1f s\n", grouped(x >= 0 && x < 1e15 ? (size_t)x : 0, text),
            p->kind->unit, m->seconds);
}

/* The kind's first figure in per cent; NULL: it has none. */
static const ur_figure *share_of(const progress *p)
{
    for (const ur_figure *f = p->kind->figures; f && f->name; f++)
        if (f->percent && f->higher_is_better)
            return f;
    return NULL;
}

static void remember(progress *p, const ur_metrics *m)
{
    const ur_figure *share = share_of(p);
    if (p->epochs_seen++ == 0)
        p->first_loss = m->train_loss;
    if (!share)
        return;
    const double value = m->valid[share - p->kind->figures];
    if (!isnan(value) && !(value <= p->best))
        p->best = value;
}

void say_what_to_try(const progress *p)
{
    const ur_train_options *o = &ur_run_settings_of(p->run)->train;
    const ur_figure *share = share_of(p);
    const double loss = p->metrics.train_loss;
    const bool falls = p->epochs_seen < 2 || loss < 0.97 * p->first_loss || loss < 0.01;
    const bool zero = share && p->best < 0.02;
    if (p->epochs_seen == 0 || (falls && !zero))
        return;
    if (!falls)
        say("the training loss did not fall: %.4f after the first epoch, %.4f after the last",
            p->first_loss, loss);
    else
        say("the %s stayed near zero: %.2f %% at most", share->title, 100.0 * p->best);
    say("what to try: another --lr (it was %g; ten times more or less), more --epochs (there were "
        "%zu)%s%s",
        o->lr, p->metrics.epoch, o->batch > 32 ? ", a smaller --batch, for more steps" : "",
        o->clip > 0.0 ? "" : ", --clip 1 against jumps");
}

static void on_evaluation(void *user, const ur_metrics *m)
{
    progress *p = user;
    remember(p, m);
    p->metrics = *m;
    p->evaluated = true;
    p->step = m->step;
    progress_clear(p);
    if (p->json)
        write_json(p, m);
    if (!p->quiet)
        write_line(p);
}

static bool should_stop(void *user)
{
    progress *p = user;
    if (!stop_asked())
        return false;
    if (!p->stop_said && !p->quiet) {
        progress_clear(p);
        say("stopping after this step, saving ... (once more stops at once)");
    }
    p->stop_said = true;
    return true;
}

ur_run_hooks progress_hooks(progress *p)
{
    return (ur_run_hooks){
        .user = p, .on_step = on_step, .on_evaluation = on_evaluation, .should_stop = should_stop};
}
