/* labels_data.c - the data of kinds that give labels, which is a ur_labelled (tagger.h). */
#include "models/tagger.h"

#include "data/labelled.h"
#include "data/split.h"
#include "models/parts.h"

size_t ur_labels_examples(const ur_model *model, const void *data)
{
    (void)model;
    return ur_labelled_count(data);
}

size_t ur_labels_length(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    return ur_labelled_tokens(data, i).length;
}

size_t ur_labels_positions(const ur_model *model, const void *data, size_t i)
{
    (void)model;
    return ur_labelled_labels(data, i).length;
}

void ur_labels_free_data(void *data)
{
    ur_labelled_free(data);
}

uint64_t ur_labels_fingerprint(const void *data)
{
    return ur_labelled_fingerprint(data);
}

size_t ur_labels_extent(const void *data)
{
    return ur_labelled_count(data);
}

const char *ur_labels_remark(const void *data, size_t i)
{
    return ur_labelled_remark(data, i);
}

ur_status ur_labels_prepare(ur_assets *assets,
                            ur_status (*open)(const ur_assets *assets, const char *path, void **out,
                                              ur_err *err),
                            ur_status (*begin)(ur_assets *assets, ur_err *err), ur_err *err)
{
    const ur_data_options *wanted = assets->data;
    ur_status status = ur_assets_no_generator(assets, err);
    if (status == UR_OK)
        status =
            assets->model ? open(assets, wanted->data, &assets->train, err) : begin(assets, err);
    if (status == UR_OK && wanted->valid)
        return open(assets, wanted->valid, &assets->valid, err);
    ur_labelled *apart = NULL;
    if (status == UR_OK && wanted->valid_split > 0.0)
        status = ur_labelled_split(assets->train, wanted->valid_split, wanted->seed, &apart, err);
    assets->valid = apart;
    return status;
}
