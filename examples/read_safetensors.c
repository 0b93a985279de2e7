/* read_safetensors.c - what a safetensors file holds, whoever wrote it.
 *     read_safetensors FILE
 * Without an argument it writes a small file first. */
#include "example.h"

static void list(const char *path)
{
    ur_err err;
    ur_st *file;
    check(ur_st_open(NULL, path, &file, &err), err.text);
    for (size_t i = 0; i < ur_st_count(file); i++) {
        const ur_st_info *tensor = ur_st_at(file, i);
        printf("%-12s %s (", tensor->name, ur_st_dtype_name(tensor->dtype));
        for (int d = 0; d < tensor->ndim; d++)
            printf("%s%zu", d ? ", " : "", tensor->dims[d]);
        printf(")\n");
    }
    const size_t bias = ur_st_index(file, "fc.bias");
    if (bias < ur_st_count(file) && ur_st_at(file, bias)->count == 3) {
        float x[3];
        check(ur_st_read_floats(file, bias, x, &err), err.text);
        printf("fc.bias = %g %g %g\n", (double)x[0], (double)x[1], (double)x[2]);
    }
    ur_st_close(file);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        list(argv[1]);
        return 0;
    }
    ur_err err;
    char folder[] = "/tmp/unroll-XXXXXX", path[64];
    new_folder(folder);
    snprintf(path, sizeof path, "%s/small.safetensors", folder);
    const float weight[] = {1, 2, 3, 4, 5, 6}, bias[] = {0.5F, 0.25F, 0.125F};
    const ur_st_tensor tensors[] = {
        {"fc.weight", UR_ST_F32, 2, (const size_t[]){3, 2}, weight},
        {"fc.bias", UR_ST_F32, 1, (const size_t[]){3}, bias},
    };
    const ur_st_pair metadata[] = {{"format", "pt"}};
    check(ur_st_write(NULL, path, tensors, 2, metadata, 1, &err), err.text);
    list(path);
    remove_folder(folder);
}
