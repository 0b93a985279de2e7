/* tokenizer_config.c - tokenizer_config.json: by it Hugging Face's libraries, and ur_published_open, cut
 * texts as a run's model does. */
#include "run/run.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/status.h"
#include "io/json.h"
#include "run/published.h"
#include "unroll/bert.h"

static ur_status print(const ur_run *run, const ur_wordpiece_options *o, char **text, ur_err *err)
{
    const ur_bert_config *c = ur_bert_config_of(run->assets.model);
    ur_json_writer *w;
    ur_status status = ur_json_writer_new(run->a, 2, &w, err);
    if (status != UR_OK)
        return status;
    ur_json_open_object(w, NULL);
    ur_json_put_string(w, "tokenizer_class", "BertTokenizer");
    ur_json_put_bool(w, "do_lower_case", o->lower);
    ur_json_put_bool(w, "strip_accents", o->strip_accents);
    ur_json_put_bool(w, "tokenize_chinese_chars", o->ideographs);
    for (size_t i = 0; i < UR_SPECIALS; i++)
        ur_json_put_string(w, ur_special_keys[i], o->special[i]);
    if (c)
        ur_json_put_int(w, "model_max_length", (int64_t)c->positions);
    ur_json_close_object(w);
    const char *written = ur_json_text(w, NULL, err);
    *text = written ? ur_strdup(run->a, written) : NULL;
    ur_json_writer_free(w);
    return *text ? UR_OK : ur_no_memory(err, 1024);
}

ur_status ur_run_save_tokenizer(const ur_run *run, ur_err *err)
{
    const ur_kind *kind = run->assets.kind;
    ur_wordpiece_options options;
    char *text = NULL;
    if (!kind->pieces || !run->assets.wordpiece)
        return UR_OK;
    kind->pieces(run->assets.config, &options);
    char *path = ur_path_join(run->a, run->folder, UR_TOKENIZER_FILE);
    if (!path)
        return ur_no_memory(err, strlen(run->folder));
    ur_status status = print(run, &options, &text, err);
    if (status == UR_OK)
        status = ur_replace_file(run->a, path, text, strlen(text), err);
    ur_free(run->a, text);
    ur_free(run->a, path);
    return status;
}
