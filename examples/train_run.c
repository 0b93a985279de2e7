/* train_run.c - a run: training with a record, an evaluation after every epoch, checkpoints, and
 * pictures, all in one folder; stopped in between and resumed. */
#include "example.h"

typedef struct watch {
    ur_run *run;
    size_t steps;
} watch;

static void say(void *user, const ur_metrics *m)
{
    const watch *w = user;
    printf("epoch %zu: loss %.3f, %.1f %% right\n", m->epoch, m->train_loss,
           100 * ur_metrics_figure(ur_run_kind(w->run), m, "valid_accuracy"));
}

static bool stop_soon(void *user)
{
    watch *w = user;
    return ++w->steps == 5;
}

int main(void)
{
    ur_err err;
    ur_context *context;
    watch w = {.steps = 0};
    char folder[] = "/tmp/unroll-XXXXXX", picture[64];
    new_folder(folder);
    check(ur_context_new(NULL, &context, &err), err.text);

    ur_seq2seq_config config = ur_seq2seq_defaults();
    config.hidden_size = 32;
    ur_run_settings settings = {.data = "builtin:dates", .size = 1000, .valid_size = 100};
    settings.train = ur_train_defaults();
    settings.train.batch = 100;
    settings.train.epochs = 2;
    settings.train.lr = 1e-2;
    settings.train.clip = 0;
    check(ur_run_create(context, folder, &settings, "seq2seq", &config, &w.run, &err), err.text);
    const ur_run_hooks stopping = {.user = &w, .on_evaluation = say, .should_stop = stop_soon};
    const ur_status status = ur_run_train(w.run, &stopping, &err);
    check(status == UR_INTERRUPTED ? UR_OK : UR_INVALID, "was not stopped");
    ur_run_free(w.run);
    printf("%s\n", err.text);

    /* Goes on as if nothing had happened: the weights become what they would have become. */
    check(ur_run_resume(context, folder, 2, 0, &w.run, &err), err.text);
    const ur_run_hooks hooks = {.user = &w, .on_evaluation = say};
    check(ur_run_train(w.run, &hooks, &err), err.text);

    snprintf(picture, sizeof picture, "%s/curves.svg", folder); /* the folder must be there */
    check(ur_run_plot_curves(context, 1, (const char *[]){folder}, UR_OVER_EPOCHS, picture, &err),
          err.text);
    snprintf(picture, sizeof picture, "%s/attention.svg", folder);
    check(ur_run_plot_attention(w.run, "september 27, 1994", NULL, picture, &err), err.text);
    ur_run_free(w.run);
    ur_context_free(context);
    remove_folder(folder);
}
