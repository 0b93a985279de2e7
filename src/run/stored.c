/* stored.c - the texts that a run keeps beside its configuration, each as a file of its folder and
 * inside model.safetensors and checkpoints: vocabularies and merges. */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "run/run.h"
#include "text/bpe.h"
#include "text/vocabulary.h"
#include "text/wordpiece.h"

enum { LONGEST_TEXT = 1 << 28 };

/* One of them: a member of ur_assets. */
struct ur_stored {
    const char *file, *key; /* key: in the metadata of a safetensors file */
    const char *count;      /* of a vocabulary: the field that says how many symbols it has */
    size_t offset;
    enum { WORDS, MERGES, PIECES } type; /* ur_vocabulary, ur_bpe, ur_wordpiece */
    bool (*needed)(const ur_kind *kind); /* NULL: it is there or not */
};

static bool has_vocabulary(const ur_kind *kind)
{
    return kind->prepare != NULL && !kind->pieces;
}

static bool has_pieces(const ur_kind *kind)
{
    return kind->pieces != NULL;
}

static bool has_labels(const ur_kind *kind)
{
    return kind->has_labels;
}

#define AT(member) offsetof(ur_assets, member)

static const ur_stored stored[] = {
    {"vocab.txt", "unroll.vocabulary", "vocabulary_size", AT(vocabulary), WORDS, has_vocabulary},
    {"vocab.txt", "unroll.wordpiece", NULL, AT(wordpiece), PIECES, has_pieces},
    {"labels.txt", "unroll.labels", "labels", AT(labels), WORDS, has_labels},
    {"target.txt", "unroll.target", "target_size", AT(languages.target), WORDS, NULL},
    {"bpe.codes", "unroll.bpe", NULL, AT(languages.source_bpe), MERGES, NULL},
    {"target.codes", "unroll.target_bpe", NULL, AT(languages.target_bpe), MERGES, NULL},
};

_Static_assert(sizeof stored / sizeof *stored <= UR_MOST_STORED, "see run.h");

const ur_stored *ur_stored_at(size_t i)
{
    return i < sizeof stored / sizeof *stored ? &stored[i] : NULL;
}

const char *ur_stored_file(const ur_stored *s)
{
    return s->file;
}

const char *ur_stored_key(const ur_stored *s)
{
    return s->key;
}

static void *get(const ur_stored *s, const ur_assets *assets)
{
    void *what;
    memcpy(&what, (const char *)assets + s->offset, sizeof what);
    return what;
}

static void set(const ur_stored *s, ur_assets *assets, void *what)
{
    memcpy((char *)assets + s->offset, &what, sizeof what);
}

const ur_vocabulary *ur_stored_vocabulary(const ur_stored *s, const ur_assets *assets)
{
    return s->type == WORDS ? get(s, assets) : NULL;
}

const ur_field *ur_stored_count(const ur_stored *s, const ur_kind *kind)
{
    const ur_field *f = s->count ? ur_field_find(kind->fields, s->count) : NULL;
    return f && f->type == UR_FIELD_SIZE ? f : NULL;
}

void ur_stored_free_all(ur_assets *assets)
{
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
        void *what = get(&stored[i], assets);
        if (stored[i].type == MERGES)
            ur_bpe_free(what);
        else if (stored[i].type == PIECES)
            ur_wordpiece_free(what);
        else
            ur_vocabulary_free(what);
        set(&stored[i], assets, NULL);
    }
}

ur_status ur_stored_print(const ur_stored *s, const ur_assets *assets, char **text, size_t *size,
                          ur_err *err)
{
    const void *what = get(s, assets);
    *text = NULL;
    if (!what)
        return UR_OK;
    return s->type == MERGES   ? ur_bpe_print(what, text, size, err)
           : s->type == PIECES ? ur_wordpiece_print(what, text, size, err)
                               : ur_vocabulary_print(what, text, size, err);
}

ur_status ur_stored_save_all(const ur_run *run, ur_err *err)
{
    ur_status status = UR_OK;
    for (size_t i = 0; status == UR_OK && i < sizeof stored / sizeof *stored; i++) {
        char *text, *path;
        size_t size = 0;
        status = ur_stored_print(&stored[i], &run->assets, &text, &size, err);
        if (status != UR_OK || !text)
            continue;
        path = ur_path_join(run->a, run->folder, stored[i].file);
        status = path ? ur_replace_file(run->a, path, text, size, err)
                      : ur_no_memory(err, strlen(run->folder));
        ur_free(run->a, text);
        ur_free(run->a, path);
    }
    return status;
}

static ur_status parse_pieces(const ur_stored *s, const ur_allocator *a, ur_assets *assets,
                              const char *name, const char *text, size_t size, ur_err *err)
{
    ur_wordpiece_options options;
    ur_wordpiece *pieces;
    assets->kind->pieces(assets->config, &options);
    const ur_status status = ur_wordpiece_parse(a, name, text, size, &options, &pieces, err);
    set(s, assets, pieces);
    return status;
}

/* Reads it from text, of a file called `name`. */
static ur_status parse(const ur_stored *s, const ur_allocator *a, ur_assets *assets,
                       const char *name, const char *text, size_t size, ur_err *err)
{
    if (s->type == PIECES)
        return parse_pieces(s, a, assets, name, text, size, err);
    if (s->type == MERGES) {
        ur_bpe *merges;
        const ur_status status = ur_bpe_parse(a, name, text, size, &merges, err);
        set(s, assets, merges);
        return status;
    }
    ur_vocabulary *words;
    const ur_status status = ur_vocabulary_parse(a, name, text, size, &words, err);
    set(s, assets, words);
    return status;
}

ur_status ur_stored_from_text(const ur_stored *s, ur_run *run, const char *name, const char *text,
                              ur_err *err)
{
    if (!text && !(s->needed && s->needed(run->assets.kind)))
        return UR_OK;
    return parse(s, run->a, &run->assets, name, text ? text : "", text ? strlen(text) : 0, err);
}

ur_status ur_stored_from_folder(const ur_stored *s, ur_run *run, ur_err *err)
{
    ur_there there = UR_FILE_THERE;
    char *path = ur_path_join(run->a, run->folder, s->file), *text;
    size_t size;
    if (!path)
        return ur_no_memory(err, strlen(run->folder));
    ur_status status = UR_OK;
    if (!s->needed)
        status = ur_look(path, &there, err);
    if (status == UR_OK && (s->needed ? s->needed(run->assets.kind) : there != UR_NOTHING_THERE)) {
        status = ur_read_file(run->a, path, LONGEST_TEXT, &text, &size, err);
        if (status == UR_OK) {
            status = parse(s, run->a, &run->assets, path, text, size, err);
            ur_free(run->a, text);
        }
    }
    ur_free(run->a, path);
    return status;
}
