/* model.c - what all models share. */
#include "unroll/models.h"

void ur_model_free(ur_model *model)
{
    if (model)
        model->class_of->free(model);
}
