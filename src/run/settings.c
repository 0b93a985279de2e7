/* settings.c - how a run is trained: the members of ur_run_settings. */
#include "unroll/run.h"

#include <stddef.h>

#define AT(member) offsetof(ur_run_settings, member)
#define TRAIN(member) offsetof(ur_run_settings, train.member)

static const char *const epoch_words[] = {"auto", NULL};

/* In the order of config.json. */
/* clang-format off */
static const ur_field fields[] = {
    {.name = "data", .metavar = "FILE", .group = "data", .type = UR_FIELD_TEXT, .offset = AT(data),
     .least = 1, .help = "What to learn."},
    {.name = "valid", .metavar = "FILE", .group = "data", .type = UR_FIELD_TEXT,
     .offset = AT(valid), .least = 1, .help = "What to measure after every epoch."},
    {.name = "valid_split", .metavar = "F", .group = "data", .type = UR_FIELD_REAL,
     .offset = AT(valid_split), .most = 1, .open = UR_OPEN_MOST, .absent = "0", .shown = "",
     .help = "Validate with this part of --data in place of a file: drawn by the seed, equal inputs "
             "on one side. The rest is learned, in its order."},
    {.name = "size", .metavar = "N", .group = "data", .type = UR_FIELD_SIZE, .offset = AT(size),
     .most = 1e8, .shown = "45000", .help = "How many built-in examples to train with."},
    {.name = "valid_size", .metavar = "N", .group = "data", .type = UR_FIELD_SIZE,
     .offset = AT(valid_size), .most = 1e8, .shown = "5000",
     .help = "How many built-in examples to validate with."},
    {.name = "save_every", .metavar = "N", .group = "training", .type = UR_FIELD_SIZE,
     .offset = AT(save_every), .most = 1 << 30, .absent = "0", .shown = "the first, then every 5 seconds; in a long epoch every minute",
     .help = "Save after every N epochs. The end is saved in any case, also when training is "
             "interrupted."},
    {.name = "eval_every", .metavar = "N", .group = "training", .type = UR_FIELD_SIZE,
     .offset = AT(eval_every), .most = 1 << 30, .initial = "1", .absent = "1",
     .help = "Measure the validation data after every N epochs, and in the end."},
    {.name = "valid_every", .metavar = "N", .group = "training", .type = UR_FIELD_SIZE,
     .offset = AT(valid_every), .most = 1 << 30, .initial = "0", .absent = "0", .shown = "",
     .help = "Measure the validation data every N steps in place of after epochs; --early-stop then "
             "counts these."},
    {.name = "best_by", .metavar = "NAME", .group = "training", .type = UR_FIELD_TEXT,
     .offset = AT(best_by), .absent = "", .shown = "loss",
     .help = "What the best model is the best by, and --early-stop goes by: loss, or a figure of "
             "the validation data as metrics.jsonl names it (bleu for valid_bleu)."},
    {.name = "batch", .metavar = "N", .group = "training", .type = UR_FIELD_SIZE,
     .offset = TRAIN(batch), .least = 1, .most = 1 << 20, .initial = "32",
     .help = "Sequences per step."},
    {.name = "batch_tokens", .metavar = "N", .group = "training", .type = UR_FIELD_SIZE,
     .offset = TRAIN(batch_tokens), .most = 1 << 20, .initial = "0", .absent = "0", .shown = "",
     .help = "Batches of at most N tokens that are learned, sequences of like length together, in place "
             "of --batch sequences."},
    {.name = "accumulate", .metavar = "N", .group = "training", .type = UR_FIELD_SIZE,
     .offset = TRAIN(accumulate), .most = 1 << 20, .initial = "1", .absent = "1",
     .help = "Batches per step: their gradients are added."},
    {.name = "epochs", .metavar = "N", .group = "training", .type = UR_FIELD_SIZE,
     .offset = TRAIN(epochs), .least = 1, .most = 1e9, .words = epoch_words, .initial = "auto",
     .help = "Times through the data. auto: as many as make the steps that a good model took "
             "(docs/defaults.md), 5 to 200."},
    {.name = "steps", .metavar = "N", .group = "training", .type = UR_FIELD_SIZE,
     .offset = TRAIN(steps), .most = 1e9, .absent = "0", .shown = "",
     .help = "Train N steps in place of epochs: what --schedule cosine goes by, too."},
    {.name = "minutes", .metavar = "N", .group = "training", .type = UR_FIELD_REAL,
     .offset = AT(minutes), .most = 1e7, .absent = "0", .shown = "",
     .help = "Train for about N minutes: how many steps these are is fixed after a tenth of them, or "
             "after the first epoch if that is earlier, and recorded. From then on the training is "
             "as exact as any other."},
    {.name = "max_steps", .metavar = "N", .group = "training", .type = UR_FIELD_SIZE,
     .offset = TRAIN(max_steps), .most = 1e12, .shown = "no limit",
     .help = "Stop after this many steps, as if interrupted: --resume goes on."},
    {.name = "optimizer", .metavar = "adam|sgd|adamw", .group = "training", .type = UR_FIELD_ENUM,
     .offset = TRAIN(optimizer), .word = ur_optimizer_name,
     .help = "How weights follow gradients."},
    {.name = "lr", .metavar = "X", .group = "training", .type = UR_FIELD_REAL, .offset = TRAIN(lr),
     .most = 1e6, .open = UR_OPEN_LEAST, .initial = "2e-3", .help = "Learning rate."},
    {.name = "beta1", .metavar = "X", .group = "optimizer", .type = UR_FIELD_REAL,
     .offset = TRAIN(beta1), .most = 1, .open = UR_OPEN_MOST, .initial = "0.9",
     .belongs = "optimizer=adam|adamw", .help = "How slowly Adam's mean of gradients moves."},
    {.name = "beta2", .metavar = "X", .group = "optimizer", .type = UR_FIELD_REAL,
     .offset = TRAIN(beta2), .most = 1, .open = UR_OPEN_MOST, .initial = "0.999",
     .belongs = "optimizer=adam|adamw", .help = "How slowly its mean of squared gradients moves."},
    {.name = "eps", .metavar = "X", .group = "optimizer", .type = UR_FIELD_REAL,
     .offset = TRAIN(eps), .most = 1, .open = UR_OPEN_LEAST, .initial = "1e-8",
     .belongs = "optimizer=adam|adamw",
     .help = "What Adam adds to that mean's root before it divides."},
    {.name = "momentum", .metavar = "X", .group = "optimizer", .type = UR_FIELD_REAL,
     .offset = TRAIN(momentum), .most = 1, .open = UR_OPEN_MOST, .belongs = "optimizer=sgd",
     .help = "Momentum of the gradients."},
    {.name = "nesterov", .group = "optimizer", .type = UR_FIELD_BOOL, .offset = TRAIN(nesterov),
     .belongs = "optimizer=sgd", .help = "Nesterov's form of the momentum."},
    {.name = "weight_decay", .metavar = "X", .group = "optimizer", .type = UR_FIELD_REAL,
     .offset = TRAIN(weight_decay), .most = 1e6,
     .help = "L2 penalty, added to the gradient; with adamw what weights shrink by, times the "
             "rate."},
    {.name = "clip", .metavar = "X", .group = "training", .type = UR_FIELD_REAL,
     .offset = TRAIN(clip), .most = 1e30, .initial = "1",
     .help = "Largest norm of the gradient; 0 for no limit."},
    {.name = "seed", .metavar = "N", .group = "training", .type = UR_FIELD_SEED,
     .offset = TRAIN(seed), .initial = "42",
     .help = "Of everything random. Equal seeds give equal models, to the last bit."},
    {.name = "schedule", .metavar = "constant|step|cosine|plateau|inverse_sqrt|linear", .group = "schedule",
     .type = UR_FIELD_ENUM, .offset = TRAIN(schedule), .word = ur_schedule_name,
     .absent = "constant",
     .help = "How the learning rate goes on: as it is; times --lr-factor every --lr-epochs "
             "epochs; along half a cosine over all epochs (or --steps), down to --lr-min; times "
             "--lr-factor, but not below --lr-min, when the validation loss has not fallen for "
             "more than --lr-patience epochs; after --warmup N steps, times the root of N / step; or, "
             "after them, in a line down to 0 at the end of all epochs."},
    {.name = "lr_epochs", .metavar = "N", .group = "schedule", .type = UR_FIELD_SIZE,
     .offset = TRAIN(lr_epochs), .least = 1, .most = 1 << 30, .initial = "10", .absent = "10",
     .belongs = "schedule=step",
     .help = "Epochs from one step of --schedule step to the next."},
    {.name = "lr_factor", .metavar = "X", .group = "schedule", .type = UR_FIELD_REAL,
     .offset = TRAIN(lr_factor), .most = 1, .open = UR_OPEN_LEAST | UR_OPEN_MOST, .initial = "0.1",
     .absent = "0.1", .belongs = "schedule=step|plateau",
     .help = "What --schedule step and plateau multiply the learning rate by."},
    {.name = "lr_patience", .metavar = "N", .group = "schedule", .type = UR_FIELD_SIZE,
     .offset = TRAIN(lr_patience), .most = 1 << 30, .initial = "10", .absent = "10",
     .belongs = "schedule=plateau",
     .help = "Epochs without progress that --schedule plateau lets pass."},
    {.name = "lr_min", .metavar = "X", .group = "schedule", .type = UR_FIELD_REAL,
     .offset = TRAIN(lr_min), .most = 1e6, .absent = "0", .belongs = "schedule=cosine|plateau",
     .help = "Where --schedule cosine ends and plateau stops."},
    {.name = "warmup_steps", .flag = "warmup", .metavar = "N", .group = "schedule",
     .type = UR_FIELD_SIZE, .offset = TRAIN(warmup_steps), .most = 1 << 30, .absent = "0",
     .help = "Steps over which the learning rate rises in a line, whatever the schedule."},
    {.name = "early_stop", .metavar = "N", .group = "training", .type = UR_FIELD_SIZE,
     .offset = TRAIN(early_stop), .most = 1 << 30, .absent = "0",
     .help = "End when the validation loss was not below its best for N epochs, and keep the "
             "best model; 0: train all epochs."},
    {.name = "keep_checkpoints", .flag = "keep", .metavar = "N", .group = "training",
     .type = UR_FIELD_SIZE, .offset = AT(keep), .most = 1 << 20, .initial = "2",
     .absent = "2", .help = "Checkpoints that stay, the newest ones: unroll average needs them."},
    {.name = "keep_best", .metavar = "N", .group = "training", .type = UR_FIELD_SIZE,
     .offset = AT(keep_best), .most = 1 << 20, .absent = "0", .shown = "none",
     .help = "And of the checkpoints those that stay because their validation was the best, by "
             "--best-by: for unroll average --best."},
    {.name = "init_from", .metavar = "RUN|FILE", .group = "training", .type = UR_FIELD_TEXT,
     .offset = AT(init_from), .least = 1, .absent = "",
     .help = "Start with the weights of a run, its best ones, or of a .safetensors file. Of a run of the "
             "same kind the model's options that are not given and the vocabularies come along, and its "
             "labels where --data has no others. Tensors that are missing or surplus are named."},
    {.name = "own_vocabulary", .group = "training", .type = UR_FIELD_BOOL, .offset = AT(own_vocabulary),
     .absent = "false", .shown = "",
     .help = "With --init-from: learn the vocabularies from --data all the same. Rows of weights follow "
             "their symbols; those of new symbols start as ever."},
    {.name = "freeze", .metavar = "PATTERN", .group = "training", .type = UR_FIELD_TEXT,
     .offset = AT(freeze), .least = 1, .absent = "",
     .help = "Parameters that keep the weights they start with: patterns of their names as for files "
             "in a shell, with commas between them ('embed.*,lstm.*'). unroll inspect lists the names."},
    {.name = NULL},
};
/* clang-format on */

const ur_field *ur_run_settings_fields(void)
{
    return fields;
}

ur_run_settings ur_run_defaults(const ur_kind *kind)
{
    ur_run_settings s = {0};
    ur_fields_default(fields, &s);
    if (kind && kind->defaults)
        ur_fields_apply(fields, &s, kind->defaults, NULL);
    return s;
}
