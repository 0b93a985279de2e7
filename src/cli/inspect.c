/* inspect.c - unroll inspect: what is in a run or in a safetensors file. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* ---- tables -------------------------------------------------------------------------------- */

/* One row, of a tensor or of several that are a layer. */
typedef struct row {
    const char *name, *dtype;    /* NULL: a layer */
    char layer[128], shape[160]; /* a layer's name */
    size_t count, bytes;
} row;

/* What a table lists. Row by row: `next` moves *at behind what it took of `of`. */
typedef struct table {
    const void *of;
    size_t n;
    row (*next)(const void *of, size_t *at, bool json);
    size_t count, bytes; /* in all, once it is printed */
} table;

/* Adds "(48, 32)", in JSON "[48,32]". */
static void add_shape(row *r, const char *between, int ndim, const size_t *dim, bool json)
{
    size_t used = strlen(r->shape);
    if (used + 40 * ((size_t)ndim + 1) > sizeof r->shape)
        return;
    used += (size_t)sprintf(r->shape + used, "%s%s", used ? between : "", json ? "[" : "(");
    for (int i = 0; i < ndim; i++)
        used += (size_t)sprintf(r->shape + used, "%s%zu", i == 0 ? "" : json ? "," : ", ", dim[i]);
    sprintf(r->shape + used, "%s", json ? "]" : ")");
}

static const char *name_of(const row *r)
{
    return r->name ? r->name : r->layer;
}

static void print_columns(const row *r, const int width[3], const char *count, const char *bytes)
{
    char *name = shown_text(name_of(r), false);
    printf("%-*s  ", width[0], name ? name : "");
    free(name);
    if (r->dtype)
        printf("%-*s  ", width[2], r->dtype);
    printf("%-*s %14s %16s\n", width[1], r->shape, count, bytes);
}

static void print_table(table *t)
{
    char count[GROUPED], bytes[GROUPED];
    int width[3] = {5, 5, 5};
    row r = {.dtype = NULL};
    for (size_t i = 0; i < t->n;) {
        r = t->next(t->of, &i, false);
        char *shown = shown_text(name_of(&r), false);
        const int name = shown ? (int)strlen(shown) : 0, shape = (int)strlen(r.shape);
        const int type = r.dtype ? (int)strlen(r.dtype) : 0;
        free(shown);
        width[2] = type > width[2] ? type : width[2];
        width[0] = name > width[0] && name <= 60 ? name : width[0];
        width[1] = shape > width[1] ? shape : width[1];
    }
    const bool layers = t->n && !r.dtype;
    const row heading = {
        .name = layers ? "layer" : "name", .shape = "shape", .dtype = layers ? NULL : "type"};
    print_columns(&heading, width, layers ? "parameters" : "elements", "bytes");
    for (size_t i = 0; i < t->n; t->count += r.count, t->bytes += r.bytes) {
        r = t->next(t->of, &i, false);
        print_columns(&r, width, grouped(r.count, count), grouped(r.bytes, bytes));
    }
    const row total = {.name = "total", .dtype = heading.dtype ? "" : NULL};
    print_columns(&total, width, grouped(t->count, count), grouped(t->bytes, bytes));
}

static void print_json(table *t)
{
    for (size_t i = 0; i < t->n;) {
        const char *comma = i ? "," : "";
        const row r = t->next(t->of, &i, true);
        printf("%s{\"name\":", comma);
        json_string(stdout, name_of(&r));
        if (r.dtype)
            printf(",\"dtype\":\"%s\",\"shape\":%s,\"count\"", r.dtype, r.shape);
        else
            printf(",\"shapes\":[%s],\"parameters\"", r.shape);
        printf(":%zu,\"bytes\":%zu}", r.count, r.bytes);
        t->count += r.count;
        t->bytes += r.bytes;
    }
}

/* ---- what they list ------------------------------------------------------------------------ */

static row next_parameter(const void *of, size_t *at, bool json)
{
    const ur_param *p = ur_params_entry(of, (*at)++);
    row r = {.name = p->name, .dtype = "F32", .count = p->count, .bytes = p->count * sizeof(float)};
    add_shape(&r, "", p->ndim, p->dim, json);
    return r;
}

static row next_tensor(const void *of, size_t *at, bool json)
{
    const ur_st_info *info = ur_st_at(of, (*at)++);
    row r = {.name = info->name,
             .dtype = info->dtype_name,
             .count = info->count,
             .bytes = (size_t)info->bytes};
    add_shape(&r, "", info->ndim, info->dims, json);
    return r;
}

/* Parameters of one layer stand together in a model's table. A layer is what is left of a name
 * without what the parameter is to it: "encoder.gru.weight_ih_l1_reverse" belongs to
 * "encoder.gru l1_reverse", "decoder.fc.bias" to "decoder.fc". */
static void layer_name(const char *parameter, char name[128])
{
    const char *dot = strrchr(parameter, '.');
    const char *suffix = dot ? strstr(dot, "_l") : NULL;
    while (suffix && !(suffix[2] >= '0' && suffix[2] <= '9')) /* weight_ln_ih_l0 */
        suffix = strstr(suffix + 2, "_l");
    snprintf(name, 128, "%.*s%s%s", dot ? (int)(dot - parameter) : (int)strlen(parameter),
             parameter, suffix ? " " : "", suffix ? suffix + 1 : "");
}

/* The layer that begins with parameter *at, with the shapes of its matrices. */
static row next_layer(const void *of, size_t *at, bool json)
{
    row r = {.count = 0};
    layer_name(ur_params_entry(of, *at)->name, r.layer);
    for (; *at < ur_params_count(of); ++*at) {
        const ur_param *p = ur_params_entry(of, *at);
        char name[128];
        layer_name(p->name, name);
        if (strcmp(name, r.layer) != 0)
            break;
        r.count += p->count;
        r.bytes += p->count * sizeof(float);
        if (p->ndim == 2)
            add_shape(&r, json ? "," : " ", p->ndim, p->dim, json);
    }
    return r;
}

/* ---- a run, or any safetensors file --------------------------------------------------------- */

static void print_run(ur_run *run, const char *path, bool json)
{
    const ur_params *params = ur_run_model(run)->params;
    const size_t n = ur_params_count(params);
    table layers = {.of = params, .n = n, .next = next_layer};
    table tensors = {.of = params, .n = n, .next = next_parameter};
    if (!json) {
        print_table(&layers);
        putchar('\n');
        print_table(&tensors);
        printf("\nconfiguration\n%s\n", ur_run_config_text(run));
        return;
    }
    fputs("{\"path\":", stdout);
    json_string(stdout, path);
    fputs(",\"layers\":[", stdout);
    print_json(&layers);
    fputs("],\"tensors\":[", stdout);
    print_json(&tensors);
    printf("],\"count\":%zu,\"bytes\":%zu,\"configuration\":", tensors.count, tensors.bytes);
    json_compact(stdout, ur_run_config_text(run));
    puts("}");
}

static int inspect_run(const command *c, ur_context *context, const char *path, bool json)
{
    int code = CODE_OK;
    ur_run *run = open_run(c, context, path, &code);
    if (run)
        print_run(run, path, json);
    ur_run_free(run);
    return code;
}

static void print_metadata(const ur_st *st, bool json)
{
    size_t n = ur_st_metadata_count(st);
    for (size_t i = 0; i < n; i++) {
        const char *key, *value;
        ur_st_metadata_at(st, i, &key, &value);
        if (!json) {
            char *name = shown_text(key, false), *text = shown_text(value, true);
            printf("%s%s%s%s\n", i ? "" : "\n", name ? name : "",
                   strchr(value, '\n') ? ":\n" : ": ", text ? text : "");
            free(name);
            free(text);
            continue;
        }
        putchar(i ? ',' : '{');
        json_string(stdout, key);
        putchar(':');
        json_string(stdout, value);
    }
    if (json)
        fputs(n ? "}" : "{}", stdout);
}

static void print_file(const ur_st *st, const char *path, bool json)
{
    table t = {.of = st, .n = ur_st_count(st), .next = next_tensor};
    if (!json) {
        print_table(&t);
        print_metadata(st, false);
        return;
    }
    fputs("{\"path\":", stdout);
    json_string(stdout, path);
    fputs(",\"tensors\":[", stdout);
    print_json(&t);
    printf("],\"count\":%zu,\"bytes\":%zu,\"metadata\":", t.count, t.bytes);
    print_metadata(st, true);
    puts("}");
}

static int inspect_file(ur_context *context, const char *path, bool json)
{
    ur_st *st;
    ur_err err;
    if (ur_st_open(ur_context_allocator(context), path, &st, &err) != UR_OK)
        return say_error(&err);
    print_file(st, path, json);
    ur_st_close(st);
    return CODE_OK;
}

static int run_inspect(command *c)
{
    if (c->n_arguments == 0)
        return say_usage(c, "what to inspect is missing: unroll inspect RUN");
    if (c->n_arguments > 1)
        return say_usage(c, "'%s' is one argument too many", c->arguments[1]);
    int code;
    ur_context *context = open_context(1, &code);
    if (!context)
        return code;
    const char *path = c->arguments[0];
    bool folder, exists;
    code = find_folder(path, &folder, &exists);
    if (code == CODE_OK)
        code = folder ? inspect_run(c, context, path, c->common.json)
                      : inspect_file(context, path, c->common.json);
    ur_context_free(context);
    return code;
}

static const char *const usage[] = {"inspect RUN [--json]", "inspect FILE.safetensors [--json]",
                                    NULL};

const verb inspect_verb = {
    .name = "inspect",
    .summary = "list a model's weights and configuration",
    .usage = usage,
    .purpose = "Shows a run's model layer by layer, lists names, shapes and sizes of its weights "
               "and prints its configuration. Of any safetensors file, whoever wrote it, it lists "
               "the tensors and the metadata.",
    .example = "  $ unroll inspect runs/dates\n"
               "  layer            shape                   parameters            bytes\n"
               "  encoder.embed    (59, 16)                       944            3,776\n"
               "  encoder.lstm l0  (256, 16) (256, 64)         20,992           83,968\n"
               "  ...\n",
    .see_also = "unroll help train",
    .json_help = "Print one object.",
    .run = run_inspect,
};
