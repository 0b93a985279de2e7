/* decode_states.c - hypotheses: which of them live on, their recurrent states and next step. */
#include "models/decode.h"

#include <string.h>

#include "nn/nn.h"

ur_hypotheses ur_hypotheses_new(ur_tape *t, const ur_decoder_task *task)
{
    const size_t count = task->sources->count;
    ur_hypotheses h = {.sources = count,
                       .rows = count,
                       .source = ur_take(t, count * task->hypotheses, sizeof *h.source),
                       .count = ur_take(t, count, sizeof *h.count)};
    for (size_t b = 0; h.source && h.count && b < count; b++) {
        h.source[b] = b;
        h.count[b] = 1;
    }
    return h;
}

const ur_layout *ur_hypotheses_queries(ur_tape *t, ur_hypotheses *h)
{
    return h->queries = ur_new_layout(t, UR_SEQUENCE_MAJOR, h->sources, h->count, NULL);
}

void ur_hypotheses_reorder(ur_hypotheses *h, size_t rows, const size_t *parent)
{
    memset(h->count, 0, h->sources * sizeof *h->count);
    for (size_t i = 0; i < rows; i++)
        h->count[h->source[parent[i]]]++;
    for (size_t b = 0, at = 0; b < h->sources; b++)
        for (size_t i = 0; i < h->count[b]; i++)
            h->source[at++] = b;
    h->rows = rows;
}

const float *ur_hypotheses_attention(const ur_hypotheses *h, const ur_weights *w, size_t row)
{
    const size_t b = h->source[row];
    return w->p + w->offset[b] + (row - h->queries->offset[b]) * w->keys->length[b];
}

static ur_tensor *new_rows(ur_tape *t, size_t count, size_t rows, size_t most, size_t width)
{
    ur_tensor *x = ur_tensor_new(t, UR_F32, 3, (size_t[]){count, most, width});
    if (!x)
        return NULL;
    x->dim[1] = rows;
    t->backend->fill(&t->on, ur_count(x), 0.0f, x->data);
    return x;
}

ur_state ur_states_new(ur_tape *t, const ur_rnn_stack *stack, size_t rows, size_t most)
{
    const ur_cell_layer *first = &stack->part[0];
    ur_state s = {new_rows(t, stack->count, rows, most, ur_rnn_width(stack)), NULL};
    if (first->cell->has_c)
        s.c = new_rows(t, stack->count, rows, most, first->hidden_size);
    return s;
}

static void take(ur_tape *t, ur_tensor *to, const ur_tensor *from, size_t rows,
                 const size_t *parent)
{
    const size_t width = to->dim[2], old = from ? from->dim[1] : 0;
    to->dim[1] = rows;
    if (!from) {
        t->backend->fill(&t->on, ur_count(to), 0.0f, to->data);
        return;
    }
    for (size_t n = 0; n < to->dim[0]; n++)
        t->backend->copy_rows(&t->on, rows, width, parent, (float *)from->data + n * old * width,
                              NULL, (float *)to->data + n * rows * width);
}

void ur_states_take(ur_tape *t, ur_state *to, ur_state from, size_t rows, const size_t *parent)
{
    take(t, to->h, from.h, rows, parent);
    if (to->c)
        take(t, to->c, from.c, rows, parent);
}

const ur_seq *ur_one_step_ids(ur_tape *t, size_t rows, const int32_t *ids)
{
    return ur_seq_ints(t, ur_one_step_layout(t, rows), ids);
}

ur_seq *ur_seq_as(ur_tape *t, const ur_seq *x, const ur_layout *layout)
{
    return x && layout ? ur_seq_new(t, x->values, layout) : NULL;
}
