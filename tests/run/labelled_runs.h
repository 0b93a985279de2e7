/* labelled_runs.h - data that taggers and classifiers can only learn by what they are for, made up
 * here, and runs on it. */
#ifndef UR_TESTS_RUN_LABELLED_RUNS_H
#define UR_TESTS_RUN_LABELLED_RUNS_H

#include "run/runs.h"
#include "unroll/tagger.h"

/* Numbers in [0, n), the same everywhere. */
static inline unsigned next_number(uint64_t *state, unsigned n)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (unsigned)(*state >> 33) % n;
}

/* Sentences of 2 to 12 letters a to e. A letter's label says whether the one after it is above,
 * below or the same as the one BEFORE it (outside of the sentence: below all). */
static inline void make_neighbours(const char *path, size_t count, uint64_t seed)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < count; i++) {
        int letter[14] = {-1};
        const int length = 2 + (int)next_number(&seed, 11);
        for (int j = 1; j <= length; j++)
            letter[j] = (int)next_number(&seed, 5);
        letter[length + 1] = -1;
        for (int j = 1; j <= length; j++) {
            const int step = letter[j + 1] - letter[j - 1];
            fprintf(f, "%c %s\n", 'a' + letter[j], step > 0 ? "up" : step < 0 ? "down" : "same");
        }
        fprintf(f, "\n");
    }
    assert_int_equal(fclose(f), 0);
}

/* Texts of so many letters a to f, the class being decided by the first of them, a, b or c; those
 * that follow have nothing to do with it. */
static inline void make_first_decides(const char *path, size_t count, unsigned least, unsigned most,
                                      uint64_t seed)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < count; i++) {
        const unsigned length = least + next_number(&seed, most - least + 1);
        const unsigned class = next_number(&seed, 3);
        fprintf(f, "begins with %c\t%c", 'A' + (int)class, 'a' + (int)class);
        for (unsigned j = 1; j < length; j++)
            fprintf(f, " %c", 'a' + (int)next_number(&seed, 6));
        fprintf(f, "\n");
    }
    assert_int_equal(fclose(f), 0);
}

/* train.txt and valid.txt of either kind, small. */
static inline void make_files(bool per_sequence)
{
    if (per_sequence) {
        make_first_decides("train.txt", 75, 3, 6, 11);
        make_first_decides("valid.txt", 40, 3, 6, 12);
    } else {
        make_neighbours("train.txt", 75, 13);
        make_neighbours("valid.txt", 40, 14);
    }
}

static inline ur_run_settings labelled_settings(void)
{
    ur_run_settings s = {.data = "train.txt", .valid = "valid.txt", .train = ur_train_defaults()};
    s.train.batch = 40; /* two shards, and 35: two */
    s.train.epochs = 5;
    s.train.lr = 1e-2;
    s.train.clip = 1.0;
    return s;
}

static inline ur_tagger_config labelled_config(bool per_sequence)
{
    ur_tagger_config c = per_sequence ? ur_classifier_defaults() : ur_tagger_defaults();
    c.embed_size = 4;
    c.hidden_size = 9;
    c.layers = 2;
    c.cell = per_sequence ? "gru" : "lstm";
    c.dropout = 0.1f;
    return c;
}

static inline ur_run *labelled_created(ur_context *context, const char *folder,
                                       const ur_run_settings *settings, bool per_sequence)
{
    const ur_tagger_config config = labelled_config(per_sequence);
    ur_run *run;
    ur_err err;
    if (ur_run_create(context, folder, settings, per_sequence ? "classifier" : "tagger", &config,
                      &run, &err) != UR_OK)
        fail_msg("%s", err.text);
    return run;
}

#endif
