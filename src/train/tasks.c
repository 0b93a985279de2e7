/* tasks.c - the kinds of models that runs hold. */
#include <string.h>

#include "train/task.h"

extern const ur_task ur_task_seq2seq, ur_task_language_model, ur_task_text_lstm, ur_task_tagger,
    ur_task_classifier;

const ur_task *const *ur_tasks(void)
{
    static const ur_task *const tasks[] = {&ur_task_seq2seq,    &ur_task_language_model,
                                           &ur_task_text_lstm,  &ur_task_tagger,
                                           &ur_task_classifier, NULL};
    return tasks;
}

const ur_task *ur_task_find(const char *kind)
{
    for (const ur_task *const *t = ur_tasks(); *t; t++)
        if (strcmp((*t)->kind, kind) == 0)
            return *t;
    return NULL;
}
