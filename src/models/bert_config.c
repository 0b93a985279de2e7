/* bert_config.c - reads the settings of a BERT from Hugging Face's config.json. */
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "io/fields.h"
#include "models/bert.h"

/* Keys of config.json that change nothing of what is computed here: how the file came about, what other
 * programs do with the model, what heads are called, and a pooler of the first release. */
static const char *const without_effect[] = {
    "_attn_implementation_autoset",
    "_name_or_path",
    "architectures",
    "attn_implementation",
    "bos_token_id",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "cls_token_id",
    "directionality",
    "dtype",
    "eos_token_id",
    "finetuning_task",
    "gradient_checkpointing",
    "id2label",
    "is_encoder_decoder",
    "label2id",
    "mask_token_id",
    "labels", /* a run's own, as model, read, tokenizer, training and version are */
    "model",
    "num_labels",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "pad_token_id",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
    "problem_type",
    "read",
    "return_dict",
    "sep_token_id",
    "tokenizer",
    "torch_dtype",
    "torchscript",
    "training",
    "transformers_version",
    "use_bfloat16",
    "use_cache",
    "version",
};

/* Refuses a run of another kind. */
static ur_status check_run(const ur_json_value *root, ur_err *err)
{
    const ur_json_value kind = ur_json_member(root, "model");
    const char *name = NULL;
    char shown[UR_SHOWN];
    if (ur_json_string(&kind, &name, NULL) != UR_OK || strncmp(name, "bert", 4) == 0)
        return UR_OK;
    return ur_fail(err, UR_UNSUPPORTED, "%s: a run of the kind %s; a BERT is expected here",
                   root->file, ur_shown(shown, name));
}

/* Refuses other kinds of models by their names. */
static ur_status check_type(const ur_json_value *root, ur_err *err)
{
    const ur_json_value type = ur_json_member(root, "model_type");
    const ur_json_value classes = ur_json_member(root, "architectures");
    const ur_json_value class = ur_json_item(&classes, 0);
    const char *name = NULL;
    char shown[UR_SHOWN];
    if (!ur_json_is_missing(&type)) {
        const ur_status status = ur_json_string(&type, &name, err);
        if (status != UR_OK || strcmp(name, "bert") == 0)
            return status;
    } else if (ur_json_string(&class, &name, NULL) != UR_OK) {
        return check_run(root, err);
    } else if (strncmp(name, "Bert", 4) == 0) {
        return UR_OK;
    }
    return ur_fail(err, UR_UNSUPPORTED,
                   "%s: a model of the kind %s; of its relatives BERT (bert) "
                   "alone is read",
                   root->file, ur_shown(shown, name));
}

ur_status ur_bert_config_read(const ur_allocator *a, const ur_json *document, ur_bert_config *out,
                              ur_err *err)
{
    const ur_json_value root = ur_json_root(document);
    ur_bert_config c = {0};
    ur_status status = ur_json_object(&root, err);
    if (status == UR_OK)
        status = check_type(&root, err);
    if (status == UR_OK)
        status = ur_json_get_fields(a, &root, ur_bert_fields, &c, without_effect,
                                    sizeof without_effect / sizeof *without_effect, err);
    if (status == UR_OK) /* where a run's vocabulary came from says nothing of the model */
        ur_fields_free(a, ur_bert_fields, &c);
    c.text.file = NULL;
    ur_err why;
    if (status == UR_OK && (status = ur_bert_check(&c, &why)) != UR_OK)
        status = ur_fail(err, status == UR_INVALID ? UR_BAD_FILE : status, "%s: %s", root.file,
                         why.text);
    if (status == UR_OK)
        *out = c;
    return status;
}

ur_status ur_bert_config_load(const ur_allocator *a, const char *path, ur_bert_config *out,
                              ur_err *err)
{
    ur_json *document;
    ur_status status = ur_json_load(a, path, &document, err);
    if (status == UR_OK)
        status = ur_bert_config_read(a, document, out, err);
    ur_json_free(document);
    return status;
}
