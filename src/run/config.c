/* config.c - config.json: everything needed to rebuild a model, its text processing and its
 * training. It is walked by the tables of the kind and of the settings. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "data/builtin.h"
#include "io/fields.h"
#include "run/run.h"

/* 1 was version 0.1's: keys that came later are missing in it, words have their older names. */
enum { CONFIG_VERSION = 2 };

/* What transformers reads beside the fields. */
static void put_published(ur_json_writer *w, const ur_kind *kind, const ur_vocabulary *labels)
{
    const size_t n = labels ? ur_vocabulary_size(labels) : 0;
    char key[24];
    size_t bytes;
    ur_json_open_list(w, "architectures");
    ur_json_put_string(w, NULL, kind->architecture);
    ur_json_close_list(w);
    if (!kind->has_labels)
        return;
    ur_json_open_object(w, "id2label");
    for (size_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "%zu", i);
        ur_json_put_string(w, key, ur_vocabulary_token(labels, (int32_t)i, &bytes));
    }
    ur_json_close_object(w);
    ur_json_open_object(w, "label2id");
    for (size_t i = 0; i < n; i++)
        ur_json_put_int(w, ur_vocabulary_token(labels, (int32_t)i, &bytes), (int64_t)i);
    ur_json_close_object(w);
}

ur_status ur_config_print(const ur_allocator *a, const ur_kind *kind, const void *config,
                          const ur_run_settings *settings, const ur_vocabulary *labels, char **text,
                          ur_err *err)
{
    ur_json_writer *w;
    *text = NULL;
    ur_status status = ur_json_writer_new(a, settings ? 2 : 0, &w, err);
    if (status != UR_OK)
        return status;
    ur_json_open_object(w, NULL);
    ur_json_put_int(w, "version", CONFIG_VERSION);
    ur_json_put_string(w, "model", kind->name);
    ur_json_put_fields(w, kind->fields, config);
    if (settings && kind->architecture)
        put_published(w, kind, labels);
    if (settings) {
        ur_json_open_object(w, "training");
        ur_json_put_fields(w, ur_run_settings_fields(), settings);
        ur_json_close_object(w);
    }
    ur_json_close_object(w);
    size_t size = 0;
    const char *written = ur_json_text(w, &size, err);
    if (written && size > UR_MOST_CONFIG)
        status = ur_fail(err, UR_UNSUPPORTED,
                         "a configuration (of labels, and of words that are never written) of %zu "
                         "bytes, at most %d are read",
                         size, UR_MOST_CONFIG);
    else
        *text = written ? ur_strdup(a, written) : NULL;
    ur_json_writer_free(w);
    return status == UR_OK && !*text ? ur_no_memory(err, size) : status;
}

/* The kind that "model" names. */
static ur_status read_kind(ur_context *context, const ur_json_value *root, const ur_kind **kind,
                           ur_err *err)
{
    const ur_json_value member = ur_json_member(root, "model");
    char list[200] = "one of";
    size_t used = strlen(list);
    const char *name;
    ur_status status = ur_json_string(&member, &name, err);
    if (status != UR_OK)
        return status;
    *kind = ur_kind_find(context, name);
    if (*kind)
        return UR_OK;
    const ur_kind *k;
    for (size_t i = 0; (k = ur_kind_at(context, i)) && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, " \"%s\"", k->name);
    return ur_json_expected(&member, list, err);
}

static ur_status parse_root(ur_context *context, const ur_json_value *root, const ur_kind **kind,
                            void **config, ur_run_settings *settings, ur_err *err)
{
    enum { OWN = 3, MOST = 16 };
    const char *others[MOST] = {"version", "model", "training"};
    size_t n = OWN;
    const ur_allocator *a = ur_context_allocator(context);
    int64_t version;
    ur_status status = ur_json_get_int(root, "version", 1, CONFIG_VERSION, &version, err);
    if (status == UR_OK)
        status = read_kind(context, root, kind, err);
    if (status != UR_OK)
        return status;
    for (const char *const *f = (*kind)->former; f && *f && n < MOST; f++)
        others[n++] = *f;
    *config = ur_alloc_zero(a, 1, (*kind)->config_size);
    if (!*config)
        return ur_no_memory(err, (*kind)->config_size);
    status = ur_json_get_fields(a, root, (*kind)->fields, *config, others, n, err);
    if (status != UR_OK || !settings)
        return status;
    const ur_json_value training = ur_json_member(root, "training");
    return ur_json_get_fields(a, &training, ur_run_settings_fields(), settings, NULL, 0, err);
}

ur_status ur_config_parse(ur_context *context, const char *name, const char *text, size_t size,
                          const ur_kind **kind, void **config, ur_run_settings *settings,
                          ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(context);
    ur_json *document;
    *config = NULL;
    if (settings)
        memset(settings, 0, sizeof *settings);
    ur_status status = ur_json_parse(a, name, text, size, &document, err);
    if (status != UR_OK)
        return status;
    const ur_json_value root = ur_json_root(document);
    status = parse_root(context, &root, kind, config, settings, err);
    ur_json_free(document);
    if (status != UR_OK) {
        if (*config)
            ur_fields_free(a, (*kind)->fields, *config);
        ur_free(a, *config);
        *config = NULL;
    }
    return status;
}

ur_status ur_config_kind(ur_context *context, const char *folder, const ur_kind **kind, ur_err *err)
{
    const ur_allocator *a = ur_context_allocator(context);
    char *path = ur_path_join(a, folder, "config.json");
    ur_json *document = NULL;
    if (!path)
        return ur_no_memory(err, strlen(folder) + 16);
    ur_status status = ur_json_load(a, path, &document, err);
    if (status == UR_OK) {
        const ur_json_value root = ur_json_root(document);
        status = read_kind(context, &root, kind, err);
    }
    ur_json_free(document);
    ur_free(a, path);
    return status;
}

const char *ur_run_next_file(const ur_run *run, const char *names, size_t *size)
{
    const char *tab = run->assets.kind->two_files ? strchr(names, '\t') : NULL;
    *size = tab ? (size_t)(tab - names) : strlen(names);
    return tab ? tab + 1 : NULL;
}

/* The names of files such that they are found from any folder: *names becomes *own, fresh memory, unless
 * it names built-in data. */
static ur_status full_paths(const ur_run *run, const char **names, char **own, ur_err *err)
{
    char here[4096];
    *own = NULL;
    if (!*names || ur_is_builtin(*names) || !getcwd(here, sizeof here))
        return UR_OK;
    const size_t room = 2 * (strlen(here) + 2) + strlen(*names);
    *own = ur_alloc(run->a, room, 1);
    if (!*own)
        return ur_no_memory(err, room);
    size_t used = 0, size;
    for (const char *name = *names, *next; name; name = next) {
        next = ur_run_next_file(run, name, &size);
        const char *folder = *name == '/' ? "" : here;
        const char *between = *name == '/' || strcmp(here, "/") == 0 ? "" : "/";
        used += (size_t)snprintf(*own + used, room - used, "%s%s%.*s%s", folder, between, (int)size,
                                 name, next ? "\t" : "");
    }
    *names = *own;
    return UR_OK;
}

ur_status ur_run_save_config(ur_run *run, ur_err *err)
{
    char *text, *path = ur_path_join(run->a, run->folder, "config.json");
    if (!path)
        return ur_no_memory(err, strlen(run->folder) + 16);
    ur_run_settings recorded = run->settings;
    char *data = NULL, *valid = NULL, *init = NULL;
    ur_status status = UR_OK;
    if (!run->own_data)
        status = full_paths(run, &recorded.data, &data, err);
    if (status == UR_OK && !run->own_data)
        status = full_paths(run, &recorded.valid, &valid, err);
    if (status == UR_OK)
        status = full_paths(run, &recorded.init_from, &init, err);
    if (status == UR_OK)
        status = ur_config_print(run->a, run->assets.kind, run->assets.config, &recorded,
                                 run->assets.labels, &text, err);
    ur_free(run->a, data);
    ur_free(run->a, valid);
    ur_free(run->a, init);
    if (status == UR_OK) {
        ur_free(run->a, run->config_text);
        run->config_text = text;
        status = ur_replace_file(run->a, path, text, strlen(text), err);
    }
    ur_free(run->a, path);
    return status;
}
