/* confusion.h - scores from counts; see ur_confusion. */
#ifndef UR_MODELS_CONFUSION_H
#define UR_MODELS_CONFUSION_H

#include "unroll/tagger.h"

/* Precision, recall and f1 of a label's counts. */
ur_label_score ur_label_score_of(size_t present, size_t predicted, size_t right);

#endif
