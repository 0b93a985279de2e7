/* inspect.c - unroll inspect: what is in a run or in a safetensors file. */
#include "cli.h"

#include <string.h>
#include <sys/stat.h>

static const option options[] = {
    OPTION_QUIET,
    OPTION_JSON("Print one object."),
    OPTION_HELP,
};

/* One row of the table, from wherever it comes. */
typedef struct row {
    const char *name, *dtype;
    int ndim;
    const size_t *dim;
    size_t count, bytes;
} row;

typedef struct table {
    bool json;
    int name_width;
    size_t rows, count, bytes; /* so far */
} table;

static void shape_text(const row *r, const char *between, char text[160])
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < r->ndim; i++)
        used += (size_t)snprintf(text + used, 160 - used, "%s%zu", i ? between : "", r->dim[i]);
}

static void print_heading(const table *t)
{
    printf("%-*s  %-5s  %-16s %14s %16s\n", t->name_width, "name", "type", "shape", "elements",
           "bytes");
}

static void print_row(table *t, const row *r)
{
    char shape[160], framed[168], count[GROUPED], bytes[GROUPED];
    if (t->json) {
        fputs(t->rows ? ",{\"name\":" : "{\"name\":", stdout);
        json_string(stdout, r->name);
        shape_text(r, ",", shape);
        printf(",\"dtype\":\"%s\",\"shape\":[%s],\"count\":%zu,\"bytes\":%zu}", r->dtype, shape,
               r->count, r->bytes);
    } else {
        shape_text(r, ", ", shape);
        snprintf(framed, sizeof framed, "(%s)", shape);
        printf("%-*s  %-5s  %-16s %14s %16s\n", t->name_width, r->name, r->dtype, framed,
               grouped(r->count, count), grouped(r->bytes, bytes));
    }
    t->rows++;
    t->count += r->count;
    t->bytes += r->bytes;
}

static void print_total(const table *t)
{
    char count[GROUPED], bytes[GROUPED];
    printf("%-*s  %-5s  %-16s %14s %16s\n", t->name_width, "total", "", "",
           grouped(t->count, count), grouped(t->bytes, bytes));
}

static void widen(table *t, const char *name)
{
    int length = (int)strlen(name);
    if (length > t->name_width && length <= 60)
        t->name_width = length;
}

/* ---- layers ------------------------------------------------------------------------------- */

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

typedef struct layer {
    char name[128], shapes[160]; /* of its matrices */
    size_t count;
} layer;

/* The layer that begins with parameter *at, which moves behind it. */
static layer next_layer(const ur_params *params, size_t *at, bool json)
{
    layer l = {.count = 0};
    size_t used = 0;
    layer_name(ur_params_entry(params, *at)->name, l.name);
    for (; *at < ur_params_count(params); ++*at) {
        const ur_param *p = ur_params_entry(params, *at);
        char name[128];
        layer_name(p->name, name);
        if (strcmp(name, l.name) != 0)
            break;
        l.count += p->count;
        if (p->ndim == 2 && used < sizeof l.shapes)
            used += (size_t)snprintf(l.shapes + used, sizeof l.shapes - used,
                                     json ? "%s[%zu,%zu]" : "%s(%zu, %zu)",
                                     used == 0 ? ""
                                     : json    ? ","
                                               : " ",
                                     p->dim[0], p->dim[1]);
    }
    return l;
}

static void print_layers(const ur_params *params, bool json)
{
    int name_width = 5, shape_width = 5;
    for (size_t i = 0; i < ur_params_count(params);) {
        const layer l = next_layer(params, &i, json);
        const int name = (int)strlen(l.name), shape = (int)strlen(l.shapes);
        name_width = name > name_width ? name : name_width;
        shape_width = shape > shape_width ? shape : shape_width;
    }
    size_t total = 0;
    char count[GROUPED], bytes[GROUPED];
    if (!json)
        printf("%-*s  %-*s %14s %16s\n", name_width, "layer", shape_width, "shape", "parameters",
               "bytes");
    for (size_t i = 0, n = 0; i < ur_params_count(params); n++) {
        const layer l = next_layer(params, &i, json);
        if (json)
            printf("%s{\"name\":\"%s\",\"shapes\":[%s],\"parameters\":%zu,\"bytes\":%zu}",
                   n ? "," : "", l.name, l.shapes, l.count, l.count * sizeof(float));
        else
            printf("%-*s  %-*s %14s %16s\n", name_width, l.name, shape_width, l.shapes,
                   grouped(l.count, count), grouped(l.count * sizeof(float), bytes));
        total += l.count;
    }
    if (!json)
        printf("%-*s  %-*s %14s %16s\n", name_width, "total", shape_width, "",
               grouped(total, count), grouped(total * sizeof(float), bytes));
}

/* ---- a run -------------------------------------------------------------------------------- */

static void print_run(ur_run *run, const char *path, bool json)
{
    const ur_params *params = ur_run_model(run)->params;
    size_t n = ur_params_count(params);
    table t = {.json = json, .name_width = 4};
    for (size_t i = 0; i < n; i++)
        widen(&t, ur_params_entry(params, i)->name);
    if (json) {
        fputs("{\"path\":", stdout);
        json_string(stdout, path);
        fputs(",\"layers\":[", stdout);
        print_layers(params, true);
        fputs("],\"tensors\":[", stdout);
    } else {
        print_layers(params, false);
        putchar('\n');
        print_heading(&t);
    }
    for (size_t i = 0; i < n; i++) {
        const ur_param *p = ur_params_entry(params, i);
        print_row(&t, &(row){p->name, "F32", p->ndim, p->dim, p->count, p->count * sizeof(float)});
    }
    if (json) {
        printf("],\"count\":%zu,\"bytes\":%zu,\"configuration\":", t.count, t.bytes);
        json_compact(stdout, ur_run_config_text(run));
        puts("}");
    } else {
        print_total(&t);
        printf("\nconfiguration\n%s\n", ur_run_config_text(run));
    }
}

static int inspect_run(ur_context *context, const char *path, bool json)
{
    ur_run *run;
    ur_err err;
    if (ur_run_open(context, path, &run, &err) != UR_OK)
        return say_open_error(context, path, &err);
    print_run(run, path, json);
    ur_run_free(run);
    return CODE_OK;
}

/* ---- any safetensors file ----------------------------------------------------------------- */

static void print_metadata(const ur_st *st, bool json)
{
    size_t n = ur_st_metadata_count(st);
    for (size_t i = 0; i < n; i++) {
        const char *key, *value;
        ur_st_metadata_at(st, i, &key, &value);
        if (!json) {
            printf("%s%s%s%s\n", i ? "" : "\n", key, strchr(value, '\n') ? ":\n" : ": ", value);
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
    size_t n = ur_st_count(st);
    table t = {.json = json, .name_width = 5};
    for (size_t i = 0; i < n; i++)
        widen(&t, ur_st_at(st, i)->name);
    if (json) {
        fputs("{\"path\":", stdout);
        json_string(stdout, path);
        fputs(",\"tensors\":[", stdout);
    } else {
        print_heading(&t);
    }
    for (size_t i = 0; i < n; i++) {
        const ur_st_info *info = ur_st_at(st, i);
        print_row(&t, &(row){info->name, ur_st_dtype_name(info->dtype), info->ndim, info->dims,
                             info->count, info->count * ur_st_dtype_size(info->dtype)});
    }
    if (json)
        printf("],\"count\":%zu,\"bytes\":%zu,\"metadata\":", t.count, t.bytes);
    else
        print_total(&t);
    print_metadata(st, json);
    if (json)
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

static int run_inspect(const settings *s)
{
    const verb *v = &inspect_verb;
    if (s->n_arguments == 0)
        return say_usage(v, "what to inspect is missing: unroll inspect RUN");
    if (s->n_arguments > 1)
        return say_usage(v, "'%s' is one argument too many", s->arguments[1]);
    int code;
    ur_context *context = open_context(1, &code);
    if (!context)
        return code;
    struct stat info;
    bool folder = stat(s->arguments[0], &info) == 0 && S_ISDIR(info.st_mode);
    code = folder ? inspect_run(context, s->arguments[0], s->json)
                  : inspect_file(context, s->arguments[0], s->json);
    ur_context_free(context);
    return code;
}

static const option_table own = OPTION_TABLE(options);
static const option_table *const tables[] = {&own, NULL};

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
               "  layer            shape                      parameters            bytes\n"
               "  encoder.embed    (59, 16)                          944            3,776\n"
               "  encoder.lstm l0  (512, 16) (512, 128)           74,752          299,008\n"
               "  ...\n",
    .see_also = "unroll help train",
    .tables = tables,
    .run = run_inspect,
};
