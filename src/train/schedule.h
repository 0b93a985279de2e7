/* schedule.h - what the library alone asks of schedules. */
#ifndef UR_TRAIN_SCHEDULE_H
#define UR_TRAIN_SCHEDULE_H

#include "unroll/train.h"

/* UR_INVALID for an unknown schedule, and for options of its own that are out of range. */
ur_status ur_schedule_check(const ur_train_options *options, ur_err *err);

/* Whether it goes by the validation loss. */
bool ur_schedule_needs_validation(size_t index);

#endif
