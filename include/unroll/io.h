/* unroll/io.h - files that others open: weights as safetensors, pictures as SVG. */
#ifndef UNROLL_IO_H
#define UNROLL_IO_H

#include "unroll/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ==== safetensors ========================================================================== */

/* Weights in files that PyTorch and others open: the safetensors format.
 *
 * A file is: the header's length (8 bytes, little-endian), the header (a JSON object, padded with
 * spaces), the data (little-endian, tensors end to end in any order, nothing between or behind).
 *     {"__metadata__": {"format": "pt"}, "fc.weight": {"dtype": "F32", "shape": [10, 4],
 *      "data_offsets": [0, 160]}}
 * Offsets count from the first byte of data. See https://github.com/huggingface/safetensors.
 *
 * Opening checks the whole header against itself and the file's size; after that only the device
 * can fail. Everything that does not fit is UR_BAD_FILE with the file, the tensor and what was
 * expected. */

typedef enum ur_st_dtype {
    UR_ST_F64,
    UR_ST_F32,
    UR_ST_F16,
    UR_ST_BF16,
    UR_ST_I64,
    UR_ST_I32,
    UR_ST_I16,
    UR_ST_I8,
    UR_ST_U64,
    UR_ST_U32,
    UR_ST_U16,
    UR_ST_U8,
    UR_ST_BOOL,
    UR_ST_DTYPES,              /* how many there are */
    UR_ST_OTHER = UR_ST_DTYPES /* one that is not read here, such as F8_E4M3 or C64 */
} ur_st_dtype;

enum { UR_ST_MAX_DIMS = 8 };

const char *ur_st_dtype_name(ur_st_dtype dtype); /* "F32"; of UR_ST_OTHER "other" */
size_t ur_st_dtype_size(ur_st_dtype dtype);      /* bytes an element takes; of UR_ST_OTHER 0 */

/* ---- reading ------------------------------------------------------------------------------ */

/* An open file. */
typedef struct ur_st ur_st;

/* One tensor of an open file. Names live as long as the file is open. */
typedef struct ur_st_info {
    const char *name;
    ur_st_dtype dtype;
    const char *dtype_name; /* as the file has it */
    int ndim;               /* 0 to UR_ST_MAX_DIMS; 0 is a scalar, of one element */
    size_t dims[UR_ST_MAX_DIMS];
    size_t count;    /* elements */
    uint64_t bytes;  /* that they take in the file */
    uint64_t offset; /* of the first byte, counted from the start of the file */
} ur_st_info;

/* Opens and checks the file at `path`; a file of another format is named, where its first bytes tell:
 * PyTorch's, NumPy's, HDF5, GGUF, a pointer of Git LFS, an HTML page. Tensors are read from it when asked for, so it must not
 * change meanwhile. A file that is not there is UR_BAD_FILE, one that cannot be read UR_IO. */
ur_status ur_st_open(const ur_allocator *a, const char *path, ur_st **out, ur_err *err);

/* The same for a file that lies in memory, which the caller keeps until ur_st_close; `name` is what
 * messages call it. */
ur_status ur_st_open_bytes(const ur_allocator *a, const char *name, const void *bytes, size_t size,
                           ur_st **out, ur_err *err);

void ur_st_close(ur_st *st); /* accepts NULL */

/* Tensors in the order in which the header names them; NULL behind the last. */
size_t ur_st_count(const ur_st *st);
const ur_st_info *ur_st_at(const ur_st *st, size_t index);

/* The tensor of that name, or NULL; its index by ur_st_index (the count where there is none). */
const ur_st_info *ur_st_find(const ur_st *st, const char *name);
size_t ur_st_index(const ur_st *st, const char *name);

/* What __metadata__ says under `key`, or NULL. The entries by number, in the header's order; NULL behind
 * the last. */
const char *ur_st_metadata(const ur_st *st, const char *key);
size_t ur_st_metadata_count(const ur_st *st);
void ur_st_metadata_at(const ur_st *st, size_t index, const char **key, const char **value);

/* All elements of a tensor of dtype F32, F16, BF16 or F64 (rounded to nearest) as float. */
ur_status ur_st_read_floats(ur_st *st, size_t index, float *out /* (count) */, ur_err *err);

/* All elements of a tensor of dtype I64, I32, I16, I8, U32, U16, U8 or BOOL. */
ur_status ur_st_read_i64(ur_st *st, size_t index, int64_t *out /* (count) */, ur_err *err);

/* All elements of a tensor of dtype U64. */
ur_status ur_st_read_u64(ur_st *st, size_t index, uint64_t *out /* (count) */, ur_err *err);

/* Finds the tensor `name`, insists on its shape and reads it as ur_st_read_floats does: what a
 * model does with each of its parameters. A tensor that is missing or of another shape is
 * UR_BAD_FILE. */
ur_status ur_st_load_floats(ur_st *st, const char *name, int ndim, const size_t *dims, float *out,
                            ur_err *err);

/* ---- writing ------------------------------------------------------------------------------ */

/* One tensor to write: dtype F32 (const float *), F16 or BF16 (const uint16_t *), I64 (const
 * int64_t *) or U64 (const uint64_t *), in the machine's own byte order. */
typedef struct ur_st_tensor {
    const char *name;
    ur_st_dtype dtype;
    int ndim;
    const size_t *dims;
    const void *data;
} ur_st_tensor;

/* One entry of __metadata__. */
typedef struct ur_st_pair {
    const char *key, *value;
} ur_st_pair;

/* Replaces the file at `path` (atomically: ur_replace) by one with these tensors and this metadata,
 * named in this order. Names and values are UTF-8; names differ. The bytes depend on the arguments
 * alone. In the data, tensors of 8-byte elements come first, so that every element is aligned.
 * UR_UNSUPPORTED: names and metadata are more than a reader takes, 100,000,000 bytes as JSON. */
ur_status ur_st_write(const ur_allocator *a, const char *path, const ur_st_tensor *tensors,
                      size_t n_tensors, const ur_st_pair *metadata, size_t n_metadata, ur_err *err);

/* ==== pictures ============================================================================= */

/* Pictures as SVG files: line charts of what training measured, heat maps of attention and
 * of confusion matrices.
 *
 * The pictures stand alone (no fonts, scripts or style sheets from elsewhere), have a white
 * background, and the same arguments give the same bytes. Texts are UTF-8; what cannot stand in XML
 * is replaced by a visible sign. Files are replaced atomically. */

/* ---- line charts -------------------------------------------------------------------------- */

/* One curve. A point whose x or y is not finite or beyond 1e300 (or, on a logarithmic axis, is not
 * above 1e-300) is a gap; a point between two gaps shows as a marker. On a linear axis sizes below
 * 1e-290 are zero. x should not decrease. */
typedef struct ur_plot_series {
    const char *name; /* in the legend; NULL or "" leaves the curve out of it */
    size_t n;
    const double *x, *y; /* (n) each */
} ur_plot_series;

/* One coordinate system. */
typedef struct ur_plot_panel {
    const char *y_label; /* or NULL */
    const ur_plot_series *series;
    size_t n_series;
    double y_min, y_max; /* the range of y; both 0: chosen from the data */
    bool percent; /* 0.25 shows as 25 %; ur_plot_chart.bounds is 1 unless it says otherwise */
    bool log_y;
} ur_plot_panel;

/* Panels one above the other over the same x axis, for example accuracy above loss. Curves of the
 * same name look the same in all panels and stand in the legend once. Curves differ in colour (a
 * palette safe for colour-blind readers), dashes and markers, so that they differ in grey, too. */
typedef struct ur_plot_chart {
    const char *title, *x_label; /* or NULL */
    const ur_plot_panel *panels;
    size_t n_panels; /* 1 to 4 */
    /* (n_panels) > 0: no value is below 0 or above this, and the axis goes no further: it is from 0 to the
     * bound, unless all values lie in the highest fifth, or the lowest. NULL: there are none. */
    const double *bounds;
    /* (n_order) names of curves as the legend has them: curve 2i has colour and marker i and a solid line,
     * curve 2i + 1 the same with a broken one. NULL: by the order of appearance, each with a look of its own. */
    const char *const *order;
    size_t n_order;
} ur_plot_chart;

/* Draws the chart into the file at `path`. UR_INVALID for a number of panels or a range of y that
 * makes no sense: ends beyond 1e300, or closer than 1e-8 of their size. A panel without a single
 * point is drawn empty. */
ur_status ur_plot_lines(const ur_allocator *a, const ur_plot_chart *chart, const char *path,
                        ur_err *err);

/* ---- heat maps ---------------------------------------------------------------------------- */

/* A matrix as coloured squares: row 0 at the top, column 0 at the left, labels at the left and above,
 * a colour bar at the right. The colours grow evenly darker (white is `least`), so they read in
 * grey. For attention, columns are the input's characters in reading order and rows the output's.
 * Or several matrices of the same rows and columns in a grid, such as the heads of an attention: the
 * labels stand beside the first ones of each line and above the first line, the bar is everybody's. */
typedef struct ur_heat_map {
    const char *title;                /* this and the next three: or NULL */
    const char *row_title;            /* what the rows are: "output" */
    const char *column_title;         /* what the columns are: "input" */
    const char *value_title;          /* what the values are: "attention weight" */
    size_t rows, columns;             /* 1 to 1000 each */
    const char *const *row_labels;    /* (rows); a label that is one space shows as an open box */
    const char *const *column_labels; /* (columns); labels wider than a square stand upright */
    const float *values;           /* (down, across, rows, columns); what is not finite is grey */
    double least, most;            /* values of the lightest and the darkest colour, values
                                           beyond take those; both 0: from the data */
    const size_t *counts;          /* (rows, columns) or NULL: written into the squares, which
                                           are then larger; with the value, a share, as per cent
                                           where there is room. Of one matrix alone */
    size_t down, across;           /* matrices of a grid, at most 100 each; 0: one */
    const char *const *map_titles; /* (down, across) above each of them, or NULL */
} ur_heat_map;

/* Draws the heat map into the file at `path`. Every square carries its labels and value as a text
 * that viewers show under the pointer. UR_INVALID for sizes, or a range (as for ur_plot_lines), that
 * make no sense. */
ur_status ur_plot_heat_map(const ur_allocator *a, const ur_heat_map *map, const char *path,
                           ur_err *err);

/* ---- confusion matrices ------------------------------------------------------------------- */

/* How often each label was taken for each: rows are true labels, columns what a model said. */
typedef struct ur_confusion_map {
    const char *title;        /* NULL: accuracy and the number of examples */
    size_t labels;            /* 1 to 1000; up to about 40 the counts can be read */
    const char *const *names; /* (labels) */
    const size_t *counts;     /* (labels, labels) */
} ur_confusion_map;

/* Draws the matrix as a heat map: each square has its count, and its colour is the count's share of
 * its row, so that the diagonal shows each label's recall. Rows of labels that are never true are
 * grey. UR_INVALID as for ur_plot_heat_map. */
ur_status ur_plot_confusion(const ur_allocator *a, const ur_confusion_map *map, const char *path,
                            ur_err *err);

#ifdef __cplusplus
}
#endif

#endif
