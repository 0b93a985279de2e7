/* confusion.c - how often which label was taken for which, and the scores that follow.
 *
 *   precision = right / predicted,  recall = right / present
 *   f1 = 2 precision recall / (precision + recall) = 2 right / (predicted + present) */
#include "models/confusion.h"

#include "base/alloc.h"
#include "base/fpmode.h"
#include "base/status.h"

ur_status ur_confusion_new(const ur_allocator *a, size_t labels, bool matrix, ur_confusion **out,
                           ur_err *err)
{
    const size_t most = matrix ? UR_MOST_CONFUSED : UR_MOST_LABELS;
    *out = NULL;
    if (labels > most)
        return ur_fail(err, UR_INVALID, "confusion matrix: %zu labels, at most %zu expected",
                       labels, most);
    ur_confusion *c = ur_alloc_zero(a, 1, sizeof *c);
    if (!c)
        return ur_no_memory(err, sizeof *c);
    const size_t size = matrix ? labels * labels : 0;
    c->labels = labels;
    c->present = ur_alloc_zero(a, labels, sizeof *c->present);
    c->predicted = ur_alloc_zero(a, labels, sizeof *c->predicted);
    c->right = ur_alloc_zero(a, labels, sizeof *c->right);
    c->counts = matrix ? ur_alloc_zero(a, size, sizeof *c->counts) : NULL;
    if (!c->present || !c->predicted || !c->right || (matrix && !c->counts)) {
        ur_confusion_free(a, c);
        return ur_no_memory(err, (3 * labels + size) * sizeof *c->counts);
    }
    *out = c;
    return UR_OK;
}

void ur_confusion_free(const ur_allocator *a, ur_confusion *c)
{
    if (!c)
        return;
    ur_free(a, c->counts);
    ur_free(a, c->present);
    ur_free(a, c->predicted);
    ur_free(a, c->right);
    ur_free(a, c);
}

static double share(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0.0;
}

ur_label_score ur_label_score_of(size_t present, size_t predicted, size_t right)
{
    return (ur_label_score){.present = present,
                            .predicted = predicted,
                            .right = right,
                            .precision = share(right, predicted),
                            .recall = share(right, present),
                            .f1 = share(2 * right, predicted + present)};
}

ur_label_score ur_confusion_score(const ur_confusion *c, size_t label)
{
    UR_FPMODE_HERE;
    size_t present = 0, predicted = 0;
    if (label >= c->labels)
        return ur_label_score_of(0, 0, 0);
    if (c->present)
        return ur_label_score_of(c->present[label], c->predicted[label], c->right[label]);
    for (size_t other = 0; other < c->labels; other++) {
        present += c->counts[label * c->labels + other];
        predicted += c->counts[other * c->labels + label];
    }
    return ur_label_score_of(present, predicted, c->counts[label * c->labels + label]);
}

double ur_confusion_accuracy(const ur_confusion *c)
{
    UR_FPMODE_HERE;
    size_t right = 0, all = 0;
    for (size_t label = 0; label < c->labels; label++) {
        const ur_label_score score = ur_confusion_score(c, label);
        all += score.present;
        right += score.right;
    }
    return share(right, all);
}

double ur_confusion_f1(const ur_confusion *c)
{
    UR_FPMODE_HERE;
    double sum = 0.0;
    size_t labels = 0;
    for (size_t label = 0; label < c->labels; label++) {
        const ur_label_score score = ur_confusion_score(c, label);
        if (!score.present && !score.predicted)
            continue;
        sum += score.f1;
        labels++;
    }
    return labels ? sum / (double)labels : 0.0;
}
