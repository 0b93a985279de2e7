/* answers.h - how right an answer is that was cut out of a text. */
#ifndef UR_TEXT_ANSWERS_H
#define UR_TEXT_ANSWERS_H

#include "unroll/core.h"

typedef struct ur_answer_text {
    const char *bytes; /* UTF-8 */
    size_t size;
} ur_answer_text;

/* Both in [0, 1]: whether it is the right one, and how much its words overlap. */
typedef struct ur_answer_score {
    double exact, f1;
} ur_answer_score;

/* The best scores of an answer against `count` right ones, as SQuAD's evaluate-v2.0.py computes them, but for
 * lower case, which is made letter by letter. Right answers without a word are passed over; where there is no
 * other, the right answer is none. False without memory. */
bool ur_answer_compare(const ur_allocator *a, ur_answer_text answer, size_t count,
                       const ur_answer_text *right, ur_answer_score *out);

#endif
