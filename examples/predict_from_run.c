/* predict_from_run.c - what a service does with a trained model: open it once, answer questions.
 *     predict_from_run RUN QUESTION ...
 * RUN is a run's folder, or its model.safetensors alone. Without arguments it makes a small run of
 * sums first (too small to add well). */
#include "example.h"

static void make_run(ur_context *context, const char *folder)
{
    ur_err err;
    ur_run *run;
    ur_seq2seq_config config = ur_seq2seq_defaults();
    config.hidden_size = 32;
    ur_run_settings settings = {.data = "builtin:additions", .size = 2000, .valid_size = 100};
    settings.train = ur_train_defaults();
    settings.train.epochs = 2;
    settings.train.batch = 256;
    settings.train.lr = 1e-2;
    settings.train.clip = 0;
    check(ur_run_create(context, folder, &settings, "seq2seq", &config, &run, &err), err.text);
    check(ur_run_train(run, NULL, &err), err.text);
    ur_run_free(run);
}

static void answer(ur_context *context, const char *path, size_t count, const char **questions)
{
    ur_err err;
    ur_run *run;
    ur_prediction *answers = calloc(count, sizeof *answers);
    check(answers ? UR_OK : UR_NO_MEMORY, "out of memory");
    check(ur_run_open(context, path, &run, &err), err.text);
    check(ur_run_predict(run, count, (const char *const *)questions, NULL, answers, NULL, &err),
          err.text);
    for (size_t i = 0; i < count; i++) {
        printf("%s -> %s  (log probability %.3f)\n", questions[i], answers[i].text,
               answers[i].log_probability);
        ur_prediction_free(context, &answers[i]);
    }
    ur_run_free(run);
    free(answers);
}

int main(int argc, char **argv)
{
    ur_err err;
    ur_context *context;
    check(ur_context_new(NULL, &context, &err), err.text);
    if (argc > 2) {
        answer(context, argv[1], (size_t)argc - 2, (const char **)argv + 2);
    } else {
        char folder[] = "/tmp/unroll-XXXXXX";
        new_folder(folder);
        make_run(context, folder);
        answer(context, folder, 2, (const char *[]){"16+75", "7+8"});
        remove_folder(folder);
    }
    ur_context_free(context);
}
