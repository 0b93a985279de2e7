/* confusion.c - how often which label was taken for which, and the scores that follow.
 *
 *   precision = right / predicted,  recall = right / present
 *   f1 = 2 precision recall / (precision + recall) = 2 right / (predicted + present) */
#include "models/confusion.h"

#include "base/alloc.h"
#include "base/fpmode.h"
#include "base/status.h"

ur_status ur_confusion_new(const ur_allocator *a, size_t labels, ur_confusion **out, ur_err *err)
{
    *out = NULL;
    if (labels > UR_MOST_LABELS)
        return ur_fail(err, UR_INVALID, "confusion matrix: %zu labels, at most %d expected", labels,
                       UR_MOST_LABELS);
    ur_confusion *c = ur_alloc(a, 1, sizeof *c);
    if (!c)
        return ur_no_memory(err, sizeof *c);
    c->labels = labels;
    c->counts = ur_alloc_zero(a, labels * labels, sizeof *c->counts);
    if (!c->counts) {
        ur_free(a, c);
        return ur_no_memory(err, labels * labels * sizeof *c->counts);
    }
    *out = c;
    return UR_OK;
}

void ur_confusion_free(const ur_allocator *a, ur_confusion *c)
{
    if (!c)
        return;
    ur_free(a, c->counts);
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

void ur_f1_add(ur_f1_mean *mean, const ur_label_score *score)
{
    if (!score->present && !score->predicted)
        return;
    mean->sum += score->f1;
    mean->labels++;
}

double ur_f1_value(const ur_f1_mean *mean)
{
    return mean->labels ? mean->sum / (double)mean->labels : 0.0;
}

ur_label_score ur_confusion_score(const ur_confusion *c, size_t label)
{
    UR_FPMODE_HERE;
    size_t present = 0, predicted = 0;
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
    for (size_t i = 0; i < c->labels * c->labels; i++) {
        all += c->counts[i];
        right += i / c->labels == i % c->labels ? c->counts[i] : 0;
    }
    return share(right, all);
}

double ur_confusion_f1(const ur_confusion *c)
{
    UR_FPMODE_HERE;
    ur_f1_mean mean = {0};
    for (size_t label = 0; label < c->labels; label++) {
        const ur_label_score score = ur_confusion_score(c, label);
        ur_f1_add(&mean, &score);
    }
    return ur_f1_value(&mean);
}
