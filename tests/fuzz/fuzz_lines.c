/* fuzz_lines.c - bytes as a file of JSON lines and as a JSON file: loaded or refused; what loads as lines is a
 * list, each of whose items can be asked for its kind. */
#include "frame.h"

#include "io/json.h"

const fuzz_setup fuzz_frame = {.memory = 1 << 20, .per_byte = 512, .failing = true, .folder = true};

static void use(const ur_json_value *value)
{
    const char *text;
    char kinds = 0;
    size_t length;
    ur_err err;
    int64_t whole;
    double real;
    bool truth;
    kinds = (char)(kinds + (ur_json_int(value, INT64_MIN, INT64_MAX, &whole, &err) == UR_OK));
    kinds = (char)(kinds + (ur_json_bool(value, &truth, &err) == UR_OK));
    kinds = (char)(kinds + (ur_json_string(value, &text, &err) == UR_OK));
    kinds = (char)(kinds + (ur_json_list(value, SIZE_MAX, &length, &err) == UR_OK));
    kinds = (char)(kinds + (ur_json_object(value, &err) == UR_OK));
    kinds = (char)(kinds + ur_json_is_null(value));
    FUZZ_CHECK(kinds <= 1);
    if (kinds == 0 && ur_json_real(value, -1e308, 1e308, &real, &err) != UR_OK)
        fuzz_refused(err.status, &err, FUZZ_MAY(UR_BAD_FILE));
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    ur_json *doc = NULL;
    ur_err err = {0};
    size_t length = 0;
    fuzz_put("lines", data, size);
    ur_status status = ur_json_load_lines(a, "lines", &doc, &err);
    if (status == UR_OK) {
        const ur_json_value root = ur_json_root(doc);
        FUZZ_CHECK(ur_json_list(&root, SIZE_MAX, &length, &err) == UR_OK);
        for (size_t i = 0; i < length; i++) {
            const ur_json_value item = ur_json_item(&root, i);
            use(&item);
        }
        ur_json_free(doc);
    } else {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
    }
    status = ur_json_load(a, "lines", &doc, &err);
    if (status == UR_OK)
        ur_json_free(doc);
    else
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
}
