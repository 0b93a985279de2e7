/* test_seq2seq_config.c - which configurations the encoder-decoder takes, and its parameters. */
#include "models/made_model.h"

#include <math.h>
#include <string.h>

static void configurations_refused(void **state)
{
    (void)state;
    ur_context *context = context_of(NULL, 1, NULL);
    const ur_seq2seq_config good = config_of(0, false);
    ur_seq2seq_config bad[9];
    static const char *const says[] = {"vocabulary of 0", "vocabulary_size",  "embed_size is 0",
                                       "embed_size",      "hidden_size is 0", "hidden_size",
                                       "dropout is 1",    "dropout",          "peeky"};
    for (int i = 0; i < 9; i++)
        bad[i] = good;
    bad[0].vocabulary = 0;
    bad[1].vocabulary = SIZE_MAX;
    bad[2].embed_size = 0;
    bad[3].embed_size = SIZE_MAX / 2;
    bad[4].hidden_size = 0;
    bad[5].hidden_size = 65537;
    bad[6].dropout = 1.0f;
    bad[7].dropout = NAN;
    bad[8].peeky = true;
    for (int i = 0; i < 9; i++) {
        ur_model *m;
        ur_err err;
        assert_int_equal(ur_seq2seq_new(context, &bad[i], &m, &err), UR_INVALID);
        assert_null(m);
        if (!strstr(err.text, says[i]))
            fail_msg("\"%s\" does not say \"%s\"", err.text, says[i]);
    }
    ur_model_free(NULL);
    ur_context_free(context);
}

static void parameters(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t dim[3][2]; /* dot, none, peeky; second 0: one dimension */
    } want[] = {
        {"encoder.embed.weight", {{9, 4}, {9, 4}, {9, 4}}},
        {"encoder.lstm.weight_ih_l0", {{48, 4}, {48, 4}, {48, 4}}},
        {"encoder.lstm.weight_hh_l0", {{48, 12}, {48, 12}, {48, 12}}},
        {"encoder.lstm.bias_ih_l0", {{48, 0}, {48, 0}, {48, 0}}},
        {"encoder.lstm.bias_hh_l0", {{48, 0}, {48, 0}, {48, 0}}},
        {"decoder.embed.weight", {{9, 4}, {9, 4}, {9, 4}}},
        {"decoder.lstm.weight_ih_l0", {{48, 4}, {48, 4}, {48, 16}}},
        {"decoder.lstm.weight_hh_l0", {{48, 12}, {48, 12}, {48, 12}}},
        {"decoder.lstm.bias_ih_l0", {{48, 0}, {48, 0}, {48, 0}}},
        {"decoder.lstm.bias_hh_l0", {{48, 0}, {48, 0}, {48, 0}}},
        {"decoder.fc.weight", {{9, 24}, {9, 12}, {9, 24}}},
        {"decoder.fc.bias", {{9, 0}, {9, 0}, {9, 0}}},
    };
    const size_t n = sizeof want / sizeof *want;
    ur_context *context = context_of(NULL, 1, NULL);
    for (int variant = 0; variant < 3; variant++) {
        const ur_seq2seq_config config = config_of(variant, false);
        ur_model *m = model_of(context, &config, 1);
        assert_string_equal(m->kind->name, "seq2seq");
        assert_int_equal(ur_params_count(m->params), n);
        for (size_t i = 0; i < n; i++) {
            const ur_param *p = ur_params_entry(m->params, i);
            assert_string_equal(p->name, want[i].name);
            assert_int_equal(p->ndim, want[i].dim[variant][1] ? 2 : 1);
            assert_int_equal(p->dim[0], want[i].dim[variant][0]);
            if (p->ndim == 2)
                assert_int_equal(p->dim[1], want[i].dim[variant][1]);
            assert_true(p->flags & UR_TRAINABLE);
        }
        const ur_seq2seq_config *kept = ur_seq2seq_config_of(m); /* defaults filled in */
        assert_string_equal(kept->cell, "lstm");
        assert_int_equal(kept->layers, 1);
        assert_int_equal(kept->decoder_layers, 1);
        assert_int_equal(kept->hidden_size, config.hidden_size);
        assert_int_equal(kept->attention, config.attention);
        assert_int_equal(kept->peeky, config.peeky);
        ur_model_free(m);
    }
    ur_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configurations_refused),
        cmocka_unit_test(parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
