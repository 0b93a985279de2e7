/* pictures.c - how training went, where a model looked, what it took for what: as SVG. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "io/fields.h"
#include "run/run.h"
#include "unroll/decode.h"
#include "unroll/io.h"

/* ---- curves ------------------------------------------------------------------------------- */

enum { MOST_PANELS = 4 };

/* What a panel shows: a figure of validation data by its name in metrics.jsonl, and where there is one
 * that of training. */
typedef struct panel_kind {
    char valid[UR_METRIC_NAME];
    char train[UR_METRIC_NAME]; /* or "" */
    char label[96];
    double bound;
    bool percent, log_y;
} panel_kind;

/* What a figure was, where it was measured: an epoch can end without a validation, and a validation stand
 * inside an epoch. */
typedef struct column {
    size_t n;
    double *at, *value; /* (n): epochs, steps or minutes; the figure */
} column;

/* One run's metrics as columns. */
typedef struct curves {
    const ur_kind *kind;
    const char *per; /* what its perplexity is told of; NULL: it has none */
    size_t n;
    double *memory; /* of the columns */
    column train[MOST_PANELS], valid[MOST_PANELS];
    char name[160], train_name[176], valid_name[176];
    ur_metrics *metrics; /* (n) */
} curves;

/* The last part of a path: what the run is called. */
static void run_name(const char *folder, char *name, size_t size)
{
    size_t end = strlen(folder);
    while (end > 1 && folder[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && folder[begin - 1] != '/')
        begin--;
    snprintf(name, size, "%.*s", (int)(end - begin), folder + begin);
}

/* An evaluation inside an epoch stands at its part of the epoch's steps, of which there are about as many
 * as the last evaluation's steps and epochs say. */
static double epoch_of(const ur_metrics *m, size_t n, size_t i)
{
    const ur_metrics *last = &m[n - 1];
    bool inside = false;
    for (size_t k = 1; k < n; k++)
        inside = inside || m[k].epoch == m[k - 1].epoch;
    return inside && last->step ? (double)m[i].step * (double)last->epoch / (double)last->step
                                : (double)m[i].epoch;
}

static const char *const over_names[] = {"epoch", "step", "minutes of training"};

static double place_of(const ur_metrics *m, size_t n, size_t i, ur_curves_over over)
{
    return over == UR_OVER_EPOCHS  ? epoch_of(m, n, i)
           : over == UR_OVER_STEPS ? (double)m[i].step
                                   : m[i].train_seconds / 60.0;
}

/* A panel for the figure, unless there is one. Perplexities of runs that count different things are
 * told of nothing. */
static void add_panel(panel_kind *panels, size_t *n, const ur_figure *f, const char *per)
{
    char name[UR_METRIC_NAME], label[sizeof panels->label];
    const bool perplexity = f->average == UR_PERPLEXITY;
    snprintf(name, sizeof name, "valid_%s", f->name);
    snprintf(label, sizeof label, "%s%s%s", f->title, perplexity ? " " : "", perplexity ? per : "");
    for (size_t i = 0; i < *n; i++)
        if (strcmp(panels[i].valid, name) == 0) {
            if (strcmp(panels[i].label, label) != 0)
                snprintf(panels[i].label, sizeof label, "%s", f->title);
            return;
        }
    if (*n + 1 >= MOST_PANELS) /* one is the loss's */
        return;
    panel_kind *p = &panels[(*n)++];
    *p = (panel_kind){.bound = f->most, .percent = f->percent, .log_y = perplexity};
    snprintf(p->train, sizeof p->train, "%s%s", perplexity || f->noted ? "train_" : "",
             perplexity || f->noted ? f->name : "");
    snprintf(p->valid, sizeof p->valid, "%s", name);
    snprintf(p->label, sizeof p->label, "%s", label);
}

/* Headline figures of every run in the order of the runs, then the loss of those without perplexity,
 * which is its exponential. */
static size_t choose_panels(size_t count, const curves *c, panel_kind *panels)
{
    size_t n = 0;
    const char *unit = NULL;
    bool loss = false, same = true;
    for (size_t i = 0; i < count; i++) {
        const ur_kind *kind = c[i].kind;
        for (const ur_figure *f = kind->figures; f && f->name; f++)
            if (f->headline)
                add_panel(panels, &n, f, c[i].per);
        if (ur_kind_perplexity(kind) || ur_kind_noted(kind)) /* whose parts are drawn */
            continue;
        const char *name = kind->measured_name ? kind->measured_name : "positions";
        same = same && (!unit || strcmp(unit, name) == 0);
        unit = name;
        loss = true;
    }
    if (loss) {
        panel_kind *p = &panels[n++];
        *p = (panel_kind){.valid = "valid_loss", .train = "train_loss", .log_y = true};
        const size_t length = strlen(unit) - (unit[strlen(unit) - 1] == 's');
        if (same)
            snprintf(p->label, sizeof p->label, "loss (nats per %.*s)", (int)length, unit);
        else
            snprintf(p->label, sizeof p->label, "loss");
    }
    return n;
}

/* The figure's column, in memory for 2 n numbers; NULL: an empty one. */
static column fill(const curves *c, const char *figure, ur_curves_over over, double *memory)
{
    column filled = {0, memory, memory + c->n};
    for (size_t i = 0; figure && i < c->n; i++) {
        const double value = ur_metrics_figure(c->kind, &c->metrics[i], figure);
        if (isnan(value))
            continue;
        filled.at[filled.n] = place_of(c->metrics, c->n, i, over);
        filled.value[filled.n++] = value;
    }
    return filled;
}

/* As far as config.json can be read. */
static const char *per_of(ur_context *context, const char *folder, const ur_kind *kind)
{
    enum { MOST = 1 << 24 };
    const ur_allocator *a = ur_context_allocator(context);
    char *path = ur_path_join(a, folder, "config.json"), *text = NULL;
    const ur_kind *same;
    void *config = NULL;
    size_t size;
    if (path && ur_read_file(a, path, MOST, &text, &size, NULL) == UR_OK)
        (void)ur_config_parse(context, path, text, size, &same, &config, NULL, NULL);
    const char *per = ur_kind_per(kind, config);
    if (config)
        ur_fields_free(a, kind->fields, config);
    ur_free(a, config);
    ur_free(a, text);
    ur_free(a, path);
    return per;
}

static ur_status load_metrics(ur_context *context, const char *folder, curves *c, ur_err *err)
{
    run_name(folder, c->name, sizeof c->name);
    const ur_status status = ur_metrics_load(context, folder, &c->metrics, &c->n, &c->kind, err);
    if (status == UR_OK)
        c->per = per_of(context, folder, c->kind);
    return status;
}

/* The names in the legend: the folders', or where two are called the same their paths. */
static void choose_names(size_t count, const char *const *folders, curves *c)
{
    bool same = false;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            same = same || strcmp(c[i].name, c[j].name) == 0;
    for (size_t i = 0; i < count; i++) {
        if (same)
            snprintf(c[i].name, sizeof c[i].name, "%s", folders[i]);
        snprintf(c[i].train_name, sizeof c[i].train_name, "%s, training", c[i].name);
        snprintf(c[i].valid_name, sizeof c[i].valid_name, "%s, validation", c[i].name);
    }
}

static ur_status fill_columns(const ur_allocator *a, const panel_kind *panels, size_t n_panels,
                              ur_curves_over over, curves *c, ur_err *err)
{
    const size_t numbers = 4 * n_panels * c->n;
    c->memory = ur_alloc(a, numbers, sizeof *c->memory);
    if (!c->memory)
        return ur_no_memory(err, numbers * sizeof *c->memory);
    for (size_t p = 0; p < n_panels; p++) {
        const bool loss = strcmp(panels[p].valid, "valid_loss") == 0;
        const bool mine = !loss || !(ur_kind_perplexity(c->kind) || ur_kind_noted(c->kind));
        double *own = c->memory + 4 * p * c->n;
        c->train[p] = fill(c, mine && *panels[p].train ? panels[p].train : NULL, over, own);
        c->valid[p] = fill(c, mine ? panels[p].valid : NULL, over, own + 2 * c->n);
    }
    return UR_OK;
}

/* The curves of one panel; returns how many. A run has a colour, and validation's lines are broken. */
static size_t panel_series(size_t panel, size_t count, const curves *c, ur_plot_series *series)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const column *train = &c[i].train[panel], *valid = &c[i].valid[panel];
        if (train->n)
            series[n++] = (ur_plot_series){c[i].train_name, train->n, train->at, train->value};
        if (valid->n)
            series[n++] = (ur_plot_series){c[i].valid_name, valid->n, valid->at, valid->value};
    }
    return n;
}

static ur_status draw(const ur_allocator *a, const panel_kind *kinds, size_t n_panels, size_t count,
                      const curves *c, ur_curves_over over, const char *path, ur_err *err)
{
    ur_plot_panel panels[MOST_PANELS];
    double bounds[MOST_PANELS];
    ur_plot_series *series = ur_alloc(a, 2 * MOST_PANELS * count, sizeof *series);
    const char **order = ur_alloc(a, 2 * count, sizeof(char *));
    if (!series || !order) {
        ur_free(a, series);
        ur_free(a, order);
        return ur_no_memory(err, 2 * MOST_PANELS * count * sizeof *series);
    }
    for (size_t i = 0; i < count; i++) {
        order[2 * i] = c[i].train_name;
        order[2 * i + 1] = c[i].valid_name;
    }
    for (size_t p = 0; p < n_panels; p++) {
        ur_plot_series *own = series + 2 * p * count;
        bounds[p] = kinds[p].bound;
        panels[p] = (ur_plot_panel){.y_label = kinds[p].label,
                                    .series = own,
                                    .n_series = panel_series(p, count, c, own),
                                    .percent = kinds[p].percent,
                                    .log_y = kinds[p].log_y};
    }
    const ur_plot_chart chart = {.x_label = over_names[over],
                                 .panels = panels,
                                 .n_panels = n_panels,
                                 .bounds = bounds,
                                 .order = order,
                                 .n_order = 2 * count};
    const ur_status status = ur_plot_lines(a, &chart, path, err);
    ur_free(a, order);
    ur_free(a, series);
    return status;
}

/* Panels without a point in any run are left out, but for the loss's. */
static size_t drop_empty(size_t n, panel_kind *panels, size_t count, const curves *c)
{
    size_t kept = 0;
    for (size_t p = 0; p < n; p++) {
        bool any = strcmp(panels[p].valid, "valid_loss") == 0;
        for (size_t i = 0; i < count && !any; i++)
            for (size_t k = 0; k < c[i].n && !any; k++)
                any = !isnan(ur_metrics_figure(c[i].kind, &c[i].metrics[k], panels[p].valid)) ||
                      (*panels[p].train &&
                       !isnan(ur_metrics_figure(c[i].kind, &c[i].metrics[k], panels[p].train)));
        if (any || (p + 1 == n && kept == 0))
            panels[kept++] = panels[p];
    }
    return kept;
}

ur_status ur_run_plot_curves(ur_context *context, size_t count, const char *const *folders,
                             ur_curves_over over, const char *path, ur_err *err)
{
    UR_FPMODE_HERE;
    if ((unsigned)over > UR_OVER_MINUTES)
        return ur_fail(err, UR_INVALID, "curves over %d: no such choice", (int)over);
    const ur_allocator *a = ur_context_allocator(context);
    panel_kind panels[MOST_PANELS];
    curves *c = ur_alloc_zero(a, count, sizeof *c);
    ur_status status = c ? UR_OK : ur_no_memory(err, count * sizeof *c);
    for (size_t i = 0; i < count && status == UR_OK; i++)
        status = load_metrics(context, folders[i], &c[i], err);
    if (status == UR_OK)
        choose_names(count, folders, c);
    size_t n = status == UR_OK ? choose_panels(count, c, panels) : 0;
    n = drop_empty(n, panels, count, c);
    for (size_t i = 0; i < count && status == UR_OK; i++)
        status = fill_columns(a, panels, n, over, &c[i], err);
    if (status == UR_OK)
        status = draw(a, panels, n, count, c, over, path, err);
    for (size_t i = 0; c && i < count; i++) {
        ur_free(a, c[i].memory);
        ur_metrics_free(context, c[i].metrics);
    }
    ur_free(a, c);
    return status;
}

/* ---- attention ---------------------------------------------------------------------------- */

/* What stands beside a map, and what it is called in a sentence. */
static const struct {
    const char *name, *rows, *columns;
} attentions[] = {{"cross", "output", "input"},
                  {"encoder", "input", "input"},
                  {"decoder", "output", "output before"}};
enum { ATTENTIONS = sizeof attentions / sizeof *attentions };

const char *ur_attention_name(size_t i)
{
    return i < ATTENTIONS ? attentions[i].name : NULL;
}

/* The map that is asked for. A model that is no Transformer has one of one layer and head at most. */
static ur_status find_map(const ur_prediction *p, const char *which, ur_attention_map *out,
                          ur_err *err)
{
    const ur_attention_map only = {.name = "cross",
                                   .layers = 1,
                                   .heads = 1,
                                   .rows = p->count,
                                   .columns = p->n_inputs,
                                   .row_labels = p->tokens,
                                   .column_labels = p->inputs,
                                   .weights = p->attention};
    const ur_attention_map *maps = p->n_maps ? p->maps : &only;
    const size_t n = p->n_maps ? p->n_maps : 1;
    if (!p->attention && !p->n_maps && p->count > 0)
        return ur_fail(err, UR_UNSUPPORTED, "this model has no attention to draw");
    if (p->n_maps ? maps[0].rows == 0 || maps[0].columns == 0
                  : p->count == 0 || p->n_inputs == 0 || !p->attention)
        return ur_fail(err, UR_INVALID, "nothing to draw: the text or its answer is empty");
    for (size_t i = 0; i < n; i++)
        if (!which || strcmp(maps[i].name, which) == 0) {
            *out = maps[i];
            return UR_OK;
        }
    return ur_fail(err, UR_UNSUPPORTED,
                   "this model has no %s attention: %sthere is %s attention alone", which,
                   p->n_maps ? "" : "it is no Transformer, ", maps[0].name);
}

static ur_status check_view(const ur_attention_map *m, const ur_attention_view *v, ur_err *err)
{
    const bool one = m->layers == 1 && m->heads == 1;
    if (v->layer <= m->layers && v->head <= m->heads)
        return UR_OK;
    if (one)
        return ur_fail(err, UR_INVALID, "there is no %s %zu: the attention has one layer and head",
                       v->layer > 1 ? "layer" : "head", v->layer > 1 ? v->layer : v->head);
    return ur_fail(err, UR_INVALID,
                   "there is no %s %zu: the %s attention has layers 1 to %zu and heads 1 to %zu",
                   v->layer > m->layers ? "layer" : "head",
                   v->layer > m->layers ? v->layer : v->head, m->name, m->layers, m->heads);
}

/* The mean of a layer's heads, added in their order. */
static void average(const ur_attention_map *m, const float *layer, float *out)
{
    const size_t size = m->rows * m->columns;
    const float part = 1.0f / (float)m->heads;
    for (size_t i = 0; i < size; i++) {
        float sum = 0.0f;
        for (size_t h = 0; h < m->heads; h++)
            sum += layer[h * size + i];
        out[i] = m->heads > 1 ? sum * part : sum;
    }
}

enum { TITLE = 64 };

/* Memory of a picture of several heads. */
typedef struct titles {
    char (*text)[TITLE];
    const char **list;
} titles;

static bool make_titles(const ur_allocator *a, const ur_attention_map *m, size_t first,
                        size_t layers, titles *t)
{
    const size_t count = layers * m->heads;
    t->text = ur_alloc(a, count, sizeof *t->text);
    t->list = ur_alloc(a, count, sizeof(char *));
    for (size_t i = 0; t->text && t->list && i < count; i++) {
        snprintf(t->text[i], TITLE, "layer %zu, head %zu", first + i / m->heads + 1,
                 i % m->heads + 1);
        t->list[i] = t->text[i];
    }
    return t->text && t->list;
}

static ur_heat_map picture_of(const ur_attention_map *m)
{
    size_t i = 0;
    while (i + 1 < ATTENTIONS && strcmp(attentions[i].name, m->name) != 0)
        i++;
    return (ur_heat_map){.row_title = attentions[i].rows,
                         .column_title = attentions[i].columns,
                         .value_title = "attention weight",
                         .rows = m->rows,
                         .columns = m->columns,
                         .row_labels = m->row_labels,
                         .column_labels = m->column_labels,
                         .least = 0.0,
                         .most = 1.0};
}

static ur_status draw_heads(const ur_allocator *a, const ur_attention_map *m, size_t layer,
                            const char *path, ur_err *err)
{
    const size_t first = layer ? layer - 1 : 0, layers = layer ? 1 : m->layers;
    ur_heat_map map = picture_of(m);
    titles t = {NULL, NULL};
    ur_status status = UR_NO_MEMORY;
    if (make_titles(a, m, first, layers, &t)) {
        map.values = m->weights + first * m->heads * m->rows * m->columns;
        map.down = layers;
        map.across = m->heads;
        map.map_titles = layers * m->heads > 1 ? t.list : NULL;
        status = ur_plot_heat_map(a, &map, path, err);
    } else {
        ur_no_memory(err, layers * m->heads * sizeof *t.text);
    }
    ur_free(a, t.list);
    ur_free(a, t.text);
    return status;
}

static ur_status draw_one(const ur_allocator *a, const ur_attention_map *m,
                          const ur_attention_view *v, const char *path, ur_err *err)
{
    const size_t size = m->rows * m->columns, layer = v->layer ? v->layer - 1 : m->layers - 1;
    const float *heads = m->weights + layer * m->heads * size;
    float *mean = v->head ? NULL : ur_alloc(a, size, sizeof *mean);
    char title[96];
    ur_heat_map map = picture_of(m);
    if (!v->head && !mean)
        return ur_no_memory(err, size * sizeof *mean);
    if (mean)
        average(m, heads, mean);
    map.values = mean ? mean : heads + (v->head - 1) * size;
    if (v->head)
        snprintf(title, sizeof title, "layer %zu, head %zu", layer + 1, v->head);
    else
        snprintf(title, sizeof title, "layer %zu, mean of %zu heads", layer + 1, m->heads);
    if (m->layers > 1 || m->heads > 1)
        map.title = title;
    const ur_status status = ur_plot_heat_map(a, &map, path, err);
    ur_free(a, mean);
    return status;
}

ur_status ur_run_plot_attention(ur_run *run, const char *text, const ur_attention_view *view,
                                const char *path, ur_err *err)
{
    UR_FPMODE_HERE;
    static const ur_attention_view usual = {NULL, 0, 0, false};
    const ur_attention_view *v = view ? view : &usual;
    const ur_search_options maps = {.maps = true};
    ur_attention_map map;
    ur_prediction p;
    ur_status status = ur_run_predict(run, 1, &text, &maps, &p, NULL, err);
    if (status != UR_OK)
        return status;
    status = find_map(&p, v->which, &map, err);
    if (status == UR_OK)
        status = check_view(&map, v, err);
    if (status == UR_OK)
        status = v->all_heads ? draw_heads(run->a, &map, v->layer, path, err)
                              : draw_one(run->a, &map, v, path, err);
    ur_prediction_free(run->context, &p);
    return status;
}

/* ---- confusion ---------------------------------------------------------------------------- */

ur_status ur_run_plot_confusion(ur_run *run, const ur_confusion *confusion, const char *path,
                                ur_err *err)
{
    UR_FPMODE_HERE;
    const ur_vocabulary *names_of = run->assets.labels;
    if (!names_of)
        return ur_fail(err, UR_UNSUPPORTED, "this model is a %s, which gives no labels",
                       run->assets.kind->name);
    const size_t labels = ur_vocabulary_size(names_of);
    if (confusion->labels != labels)
        return ur_fail(err, UR_INVALID, "a confusion matrix of %zu labels, this model has %zu",
                       confusion->labels, labels);
    if (!confusion->counts)
        return ur_fail(err, UR_INVALID, "a confusion matrix without counts, (%zu, %zu) expected",
                       labels, labels);
    const char **names = ur_alloc(run->a, labels, sizeof(char *));
    if (!names)
        return ur_no_memory(err, labels * sizeof(char *));
    for (size_t i = 0; i < labels; i++)
        names[i] = ur_vocabulary_token(names_of, (int32_t)i, NULL);
    const ur_confusion_map map = {.labels = labels, .names = names, .counts = confusion->counts};
    const ur_status status = ur_plot_confusion(run->a, &map, path, err);
    ur_free(run->a, names);
    return status;
}
