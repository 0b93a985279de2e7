/* pictures.c - maps of attention, as SVG. */
#include <string.h>

#include "base/status.h"
#include "train/run.h"
#include "unroll/io.h"

ur_status ur_run_plot_attention(ur_run *run, const char *question, const char *path, ur_err *err)
{
    if (strcmp(ur_run_kind(run), "seq2seq") != 0 ||
        ur_seq2seq_config_of(run->model)->attention == UR_ATTENTION_NONE)
        return ur_fail(err, UR_UNSUPPORTED, "this model has no attention to draw");
    ur_text_answer answer;
    const ur_status status = ur_run_answer(run, 1, &question, &answer, NULL, err);
    if (status != UR_OK)
        return status;
    if (answer.answer_length == 0 || answer.question_length == 0)
        return ur_fail(err, UR_INVALID, "nothing to draw: the question or its answer is empty");
    const ur_heat_map map = {.row_title = "answer",
                             .column_title = "question",
                             .value_title = "attention weight",
                             .rows = answer.answer_length,
                             .columns = answer.question_length,
                             .row_labels = answer.answer_symbols,
                             .column_labels = answer.question_symbols,
                             .values = answer.attention,
                             .least = 0.0,
                             .most = 1.0};
    return ur_plot_heat_map(run->a, &map, path, err);
}
