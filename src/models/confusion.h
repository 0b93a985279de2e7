/* confusion.h - scores from counts; see ur_confusion. */
#ifndef UR_MODELS_CONFUSION_H
#define UR_MODELS_CONFUSION_H

#include "unroll/tagger.h"

/* Precision, recall and f1 of a label's counts. */
ur_label_score ur_label_score_of(size_t present, size_t predicted, size_t right);

/* The mean of f1 over labels that occur, one label's counts after the other's. */
typedef struct ur_f1_mean {
    double sum;
    size_t labels;
} ur_f1_mean;
void ur_f1_add(ur_f1_mean *mean, const ur_label_score *score);
double ur_f1_value(const ur_f1_mean *mean);

#endif
