/* fuzz_questions.c - any bytes are either refused with a sentence, or questions whose windows show all of
 * their texts and have what is learned inside. The first two bytes choose how long windows are and what they
 * share. */
#include "frame.h"

#include "data/questions.h"

const fuzz_setup fuzz_frame = {.memory = 1 << 20, .per_byte = 512, .failing = true};

static void check_window(const ur_questions *q, const ur_asked_window *w)
{
    int32_t ids[300], segments[300];
    const size_t length = ur_asked_length(q, w);
    FUZZ_CHECK(length <= q->longest && w->count > 0);
    ur_asked_input(q, w, ids, segments);
    for (size_t i = 0; i < w->count; i++)
        FUZZ_CHECK(ur_asked_piece_at(q, w, i)->end <= q->text[q->question[w->question].text].bytes);
    FUZZ_CHECK(w->start < (int32_t)length && w->end < (int32_t)length);
    FUZZ_CHECK((w->start < 0) == (w->end < 0));
}

static void check_question(const ur_questions *q, const ur_question *asked)
{
    size_t shown = 0;
    for (size_t i = asked->window; i < asked->window + asked->windows; i++) {
        const ur_asked_window *w = &q->window[i];
        FUZZ_CHECK(w->first <= shown && w->first + w->count > shown);
        shown = w->first + w->count;
        check_window(q, w);
    }
    FUZZ_CHECK(asked->windows == 0 || shown == q->text[asked->text].count);
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\nthe\ncat\n.\n";
    const ur_wordpiece_options o = ur_wordpiece_defaults();
    ur_wordpiece *w;
    ur_questions *q;
    ur_err err = {UR_OK, ""};
    if (size < 2)
        return;
    FUZZ_CHECK(ur_wordpiece_parse(NULL, "v", vocabulary, sizeof vocabulary - 1, &o, &w, &err) ==
               UR_OK);
    const ur_windowing how = {.wordpiece = w,
                              .longest = 5u + data[0],
                              .stride = data[1] & 1 ? SIZE_MAX : data[1] >> 3,
                              .skip = data[1] & 2,
                              .learn = data[1] & 4};
    const ur_status status =
        ur_questions_parse(a, "input", (const char *)data + 2, size - 2, &how, &q, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
        FUZZ_CHECK(!q);
    }
    for (size_t i = 0; status == UR_OK && i < q->count; i++)
        check_question(q, &q->question[i]);
    if (status == UR_OK)
        ur_questions_free(q);
    ur_wordpiece_free(w);
}
