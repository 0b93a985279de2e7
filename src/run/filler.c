/* filler.c - masked words of a text, filled in by a published BERT. */
#include "unroll/filler.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "run/published.h"
#include "tape/tape.h"

struct ur_filler {
    ur_context *context;
    const ur_allocator *a;
    ur_published published;
    ur_tape *tape;
    ur_pieces pieces; /* of the last text */
    ur_remarks remarks;
};

ur_status ur_filler_open(ur_context *context, const char *folder, ur_filler **out, ur_err *err)
{
    UR_FPMODE_HERE;
    const ur_published_options options = {.masked_words = true, .inference = true};
    const ur_allocator *a = ur_context_allocator(context);
    ur_filler *f = ur_alloc_zero(a, 1, sizeof *f);
    *out = NULL;
    if (!f)
        return ur_no_memory(err, sizeof *f);
    f->context = context;
    f->a = f->remarks.a = f->pieces.allocator = a;
    ur_status status =
        ur_published_open(context, folder, &options, &f->remarks, &f->published, err);
    if (status == UR_OK && ur_wordpiece_special(f->published.wordpiece, UR_MASK) < 0)
        status = ur_fail(err, UR_BAD_FILE, "%s: the vocabulary has no [MASK]", folder);
    if (status == UR_OK)
        status = ur_tape_new(context, &f->tape, err);
    if (status == UR_OK)
        *out = f;
    else
        ur_filler_free(f);
    return status;
}

void ur_filler_free(ur_filler *f)
{
    if (!f)
        return;
    ur_tape_free(f->tape);
    ur_pieces_free(&f->pieces);
    ur_published_free(&f->published);
    ur_remarks_free(&f->remarks);
    ur_free(f->a, f);
}

const ur_wordpiece *ur_filler_wordpiece(const ur_filler *f)
{
    return f->published.wordpiece;
}

/* ---- texts ------------------------------------------------------------------------------------- */

static bool is_mask(const ur_filler *f, size_t i)
{
    return f->pieces.piece[i].id == ur_wordpiece_special(f->published.wordpiece, UR_MASK);
}

/* The text's pieces; all of them, so that a mask that is not read is told. */
static ur_status cut_text(ur_filler *f, const char *text, size_t *masks, ur_err *err)
{
    const ur_wordpiece *w = f->published.wordpiece;
    const char *mask = ur_wordpiece_token(w, ur_wordpiece_special(w, UR_MASK));
    const ur_status status = ur_wordpiece_encode(w, text, strlen(text), NULL, 0, 0,
                                                 UR_CUT_LONGEST_FIRST, &f->pieces, err);
    *masks = 0;
    if (status != UR_OK)
        return status;
    for (size_t i = 0; i < f->pieces.count; i++) {
        if (!is_mask(f, i))
            continue;
        if (i + 1 >= f->published.longest)
            return ur_fail(
                err, UR_BAD_FILE,
                "a %s stands behind the first %zu pieces of the text, which alone are read", mask,
                f->published.longest - 2);
        ++*masks;
    }
    return *masks ? UR_OK : ur_fail(err, UR_BAD_FILE, "the text has no %s", mask);
}

ur_status ur_filler_masks(ur_filler *f, const char *text, size_t *count, ur_err *err)
{
    return cut_text(f, text, count, err);
}

/* The rows of the masks, (masks, hidden). */
static ur_tensor *mask_rows(ur_filler *f, const ur_seq *y, size_t n, size_t masks)
{
    ur_tape *t = f->tape;
    ur_tensor **rows = ur_take(t, masks, sizeof(ur_tensor *));
    size_t found = 0;
    for (size_t i = 0; rows && i < n; i++)
        if (is_mask(f, i))
            rows[found++] = ur_step_of(t, y, i);
    return rows && ur_tape_ok(t) ? ur_join_rows(t, masks, rows) : NULL;
}

/* The most probable of n, kept in order while all are seen. */
static void choose(const ur_filler *f, size_t n, const float *p, size_t best, ur_filling *out)
{
    size_t kept = 0;
    for (size_t id = 0; id < n; id++) {
        if (kept == best && !(p[id] > out[best - 1].probability))
            continue;
        size_t at = kept < best ? kept++ : best - 1;
        for (; at > 0 && p[id] > out[at - 1].probability; at--)
            out[at] = out[at - 1];
        out[at] = (ur_filling){(int32_t)id, ur_wordpiece_token(f->published.wordpiece, (int32_t)id),
                               p[id]};
    }
}

ur_status ur_filler_apply(ur_filler *f, const char *text, size_t best, ur_filling *out, ur_err *err)
{
    UR_FPMODE_HERE;
    const ur_model *model = f->published.model;
    const size_t tokens = ur_wordpiece_size(f->published.wordpiece);
    const size_t vocabulary = ur_bert_config_of(model)->vocabulary;
    ur_tape *t = f->tape;
    size_t masks;
    if (best < 1 || best > tokens)
        return ur_fail(err, UR_INVALID, "the best %zu of %zu tokens", best, tokens);
    const ur_status status = cut_text(f, text, &masks, err);
    if (status != UR_OK)
        return status;
    const size_t all = f->pieces.count, most = f->published.longest, n = all < most ? all : most;
    ur_tape_start(t, UR_INFER, model->params, NULL, 0, 0);
    int32_t *ids = ur_take(t, n, sizeof *ids);
    for (size_t i = 0; ids && i < n; i++)
        ids[i] = f->pieces.piece[i].id;
    if (ids)
        ids[n - 1] = ur_wordpiece_special(f->published.wordpiece, UR_SEP);
    const ur_layout *layout = ur_new_layout(t, UR_SEQUENCE_MAJOR, 1, &n, NULL);
    const ur_seq *x = ids ? ur_seq_ints(t, layout, ids) : NULL;
    const ur_seq *y = ur_bert_encode(t, model, x, NULL, NULL);
    ur_tensor *logits = y ? ur_bert_words(t, model, mask_rows(f, y, n, masks)) : NULL;
    const float *p = ur_read(t, ur_softmax(t, logits));
    for (size_t i = 0; p && i < masks; i++)
        choose(f, tokens, p + i * vocabulary, best, out + i * best);
    return p ? UR_OK : ur_fail(err, ur_tape_status(t), "%s", ur_error(t));
}
