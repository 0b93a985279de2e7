/* translate_transformer.c - trains a Transformer to translate, asks it, and shows where its heads looked:
 * as numbers, and as a picture of all of them. Adjectives change places between the two languages. */
#include "example.h"

static void write_data(const char *path)
{
    static const char *const words[][2] = {{"red", "rouge"}, {"big", "grand"}, {"old", "vieux"}};
    static const char *const things[][2] = {{"cat", "chat"}, {"dog", "chien"}, {"bear", "ours"}};
    FILE *f = fopen(path, "w");
    check(f ? UR_OK : UR_IO, path);
    for (int i = 0; i < 27; i++)
        fprintf(f, "%s %s %s\t%s %s %s\n", words[i / 9][0], things[i / 3 % 3][0], things[i % 3][0],
                things[i / 3 % 3][1], words[i / 9][1], things[i % 3][1]);
    check(fclose(f) == 0 ? UR_OK : UR_IO, path);
}

int main(void)
{
    ur_err err;
    ur_context *context;
    ur_run *run;
    char folder[] = "/tmp/unroll-XXXXXX", data[64], runs[64], picture[64];
    new_folder(folder);
    snprintf(data, sizeof data, "%s/pairs.tsv", folder);
    snprintf(runs, sizeof runs, "%s/run", folder);
    snprintf(picture, sizeof picture, "%s/heads.svg", folder);
    write_data(data);
    check(ur_context_new(NULL, &context, &err), err.text);
    ur_translation_config config = ur_translation_defaults();
    config.model = UR_TRANSLATOR_TRANSFORMER;
    config.hidden_size = 32;
    config.heads = 2;
    config.text.min_freq = 1;
    ur_run_settings settings = ur_run_defaults(ur_kind_find(context, "translation"));
    settings.data = data;
    settings.valid_split = 0.0;
    settings.train.batch = 9;
    settings.train.epochs = 60;
    settings.train.lr = 5e-3;
    check(ur_run_create(context, runs, &settings, "translation", &config, &run, &err), err.text);
    check(ur_run_train(run, NULL, &err), err.text);

    const char *const text = "old dog cat";
    const ur_search_options maps = {.maps = true};
    ur_prediction said;
    check(ur_run_predict(run, 1, &text, &maps, &said, NULL, &err), err.text);
    printf("%s: %s\n", text, said.text);
    const ur_attention_map *cross = &said.maps[0];
    for (size_t i = 0; i < cross->heads * cross->rows * cross->columns; i++)
        printf("head %zu, %-5s looks at %-5s %.2f\n", i / (cross->rows * cross->columns) + 1,
               cross->row_labels[i / cross->columns % cross->rows],
               cross->column_labels[i % cross->columns], (double)cross->weights[i]);
    ur_prediction_free(context, &said);
    const ur_attention_view all = {.which = "cross", .all_heads = true};
    check(ur_run_plot_attention(run, text, &all, picture, &err), err.text);
    ur_run_free(run);
    ur_context_free(context);
    remove_folder(folder);
}
