/* body_gemm.h - the packed matrix product, once per instruction set.
 *
 * B is packed in panels of up to 4 vectors of columns. A panel's rows of C are cut into tiles
 * (body_tile.h), A into strips and k into chains so that what is read again is near. */
#include "kernels/body_tile.h"

static size_t at_most(size_t n, size_t limit)
{
    return n < limit ? n : limit;
}

/* Vectors of columns, of one gate. */
static size_t vectors_of(ur_columns columns)
{
    return (columns.units + VW - 1) / VW;
}

static size_t panels(ur_columns columns)
{
    const size_t most = columns.gates == 1 ? UR_PANEL_VECTORS : 1;
    return (vectors_of(columns) + most - 1) / most;
}

/* The first vector of panel p, of one gate. */
static size_t first_vector(ur_columns columns, size_t p)
{
    return columns.gates == 1 ? p * vectors_of(columns) / panels(columns) : p;
}

static size_t panel_begin(ur_columns columns, size_t p)
{
    return p ? at_most(first_vector(columns, p) * VW, columns.units) : 0;
}

/* One panel of columns: where its vectors stand in a row of C, and how many lanes they have. */
typedef struct panel {
    size_t first, step; /* column of vector 0, distance to the next vector */
    size_t left;        /* units from here on */
    size_t before;      /* vectors in panels before this one */
    int vectors;        /* that have a lane at all */
    bool gated, full;   /* full: so have all lanes of these */
} panel;

static inline panel panel_at(ur_columns columns, size_t p)
{
    const bool gated = columns.gates > 1;
    const size_t first = first_vector(columns, p), units = first * VW;
    panel at = {.first = units, .step = VW, .left = columns.units - units, .before = first};
    if (gated) {
        at.step = columns.units;
        at.before = first * columns.gates;
        at.vectors = (int)columns.gates;
        at.full = at.left >= VW;
    } else {
        at.vectors = (int)(first_vector(columns, p + 1) - first);
        at.full = at.left >= (size_t)at.vectors * VW;
    }
    at.gated = gated;
    return at;
}

/* Lanes of vector v, 0 if it is none of the panel's. */
static inline size_t lanes_of(const panel *at, size_t v)
{
    if (v >= (size_t)at->vectors)
        return 0;
    return at_most(at->gated ? at->left : at->left - v * VW, VW);
}

/* Copies `rows` rows of a panel between C and whole vectors in scratch (rows, NR). */
static void panel_out(const panel *at, size_t rows, const float *scratch, float *c, size_t c_row)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < (size_t)at->vectors; v++)
            v_store_n(c + r * c_row + v * at->step, v_load(scratch + r * NR + v * VW),
                      lanes_of(at, v));
}

static void panel_in(const panel *at, size_t rows, float *scratch, const float *c, size_t c_row)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < (size_t)at->vectors; v++)
            v_store(scratch + r * NR + v * VW,
                    v_load_n(c + r * c_row + v * at->step, lanes_of(at, v)));
}

/* A tile at the edge of the columns: computed in scratch, its valid lanes copied; or, where only the last vector
 * is not whole and chains start from nothing that is read there, in place. */
static void edge_tile(tile t, const panel *at, size_t rows, bool in_place, tile_fn compute)
{
    float scratch[12 * NR], bias[NR];
    float *c = t.c;
    if (in_place && t.mode == FROM_BIAS) {
        if (t.bias) {
            panel_in(at, 1, bias, t.bias, 0);
            t.bias = bias;
        }
        t.last = lanes_of(at, (size_t)at->vectors - 1);
        compute(&t);
        return;
    }
    if (t.mode == FROM_ROWS) {
        for (size_t r = 0; r < rows; r++)
            panel_in(at, 1, scratch + r * NR, t.table + (size_t)t.index[r] * t.table_row, 0);
        t.mode = FROM_C;
    } else if (t.mode != FROM_BIAS) {
        panel_in(at, rows, scratch, c, t.c_row);
    }
    if (t.bias) {
        panel_in(at, 1, bias, t.bias, 0);
        t.bias = bias;
    }
    const size_t c_row = t.c_row;
    t.c = scratch;
    t.c_row = NR;
    t.c_vec = VW;
    compute(&t);
    panel_out(at, rows, scratch, c, c_row);
}

/* The epilogue of a finished tile: what is in the first cache still. */
static void finish_tile(const ur_product *p, const panel *at, size_t rows, float *c)
{
    const bool together = !at->gated; /* vectors are neighbours in C */
    const size_t width = (size_t)at->vectors * VW, calls = together ? 1 : (size_t)at->vectors;
    for (size_t v = 0; v < calls; v++) {
        float *here = c + v * at->step;
        const ptrdiff_t place = here - p->c;
        finish(p->epilogue, p->factor, rows, p->c_row,
               together ? at_most(at->left, width) : lanes_of(at, v), here,
               p->side ? p->side + place : NULL, p->slope ? p->slope + place : NULL);
    }
}

/* Has what a tile's epilogue reads on its way into the first cache while the tile is computed. */
static inline void fetch_side(const ur_product *p, const panel *at, size_t rows, const float *c)
{
    const float *side = p->side + (c - p->c);
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < (size_t)at->vectors; v++)
            __builtin_prefetch(side + r * p->c_row + v * at->step);
}

enum { FAR_FLOATS = UR_SIZE(512 * 1024, 256), MOST_SPREAD = 4 };

/* Row k0 of a panel. */
static inline const float *part_of_b(const ur_product *p, const panel *at, size_t k0)
{
    const size_t depth = p->b_k ? p->b_k : p->k;
    return p->b + (at->before * depth + (p->b_begin + k0) * (size_t)at->vectors) * VW;
}

/* Floats of the next part that a tile fetches for each of its k's: a line or a fraction of one, so that all tiles
 * that share a part of B fetch it together, at most MOST_SPREAD for one where one could; two lines where there are
 * few tiles. One tile alone waits for memory as it is, and fetches where a line is most of what a k takes. */
static inline size_t fetched_floats(size_t count, size_t floats)
{
    if (count == 1)
        return floats < 2 * LINE_FLOATS ? LINE_FLOATS : 0;
    if (count * LINE_FLOATS < floats)
        return 2 * LINE_FLOATS;
    size_t each = LINE_FLOATS;
    while (each > LINE_FLOATS / MOST_SPREAD && count * each / 2 >= floats)
        each /= 2;
    return each;
}

/* Tiles of rows [row0, row1) of one panel, k in [k0, k1) of a chain, to C or to scratch (rows, NR). The part of
 * B that is wanted after this one is at `next`, or NULL where it need not be fetched. */
static void tiles_part(const ur_product *p, const panel *at, size_t row0, size_t row1, size_t k0,
                       size_t k1, int mode, float *scratch, const float *next)
{
    static const size_t most_rows[] = {ROWS_1, ROWS_2, ROWS_3, ROWS_4};
    const size_t rows = row1 - row0, most = most_rows[at->vectors - 1];
    const bool one = rows <= most; /* said apart: divisions take longer than a small tile */
    const size_t count = one ? 1 : (rows + most - 1) / most, even = one ? rows : rows / count;
    size_t longer = rows - even * count; /* rows spread evenly over the tiles */
    const int kind = p->a_k == 1 ? K_UNIT : ROWS_UNIT;
    const tile_fn *fit = tiles[kind][at->vectors - 1];
    /* The tiles that share this part of B fetch the next one: what comes in bursts waits for its turn. */
    const size_t floats = (size_t)at->vectors * VW; /* of a k */
    const size_t each = next && at->full ? fetched_floats(count, floats) : 0;
    const size_t fetching = each ? (floats + each - 1) / each : 0;
    tile t = {
        .k = k1 - k0,
        .a = p->a + row0 * p->a_row + k0 * p->a_k,
        .a_row = p->a_row,
        .a_k = p->a_k,
        .b = part_of_b(p, at, k0),
        .c = scratch ? scratch : p->c + row0 * p->c_row + at->first,
        .c_row = scratch ? NR : p->c_row,
        .c_vec = scratch ? VW : at->step,
        .bias = p->bias && !scratch ? p->bias + at->first : NULL,
        .table = p->table ? p->table + at->first : NULL,
        .table_row = p->table_row,
        .index = p->index ? p->index + row0 : NULL,
        .mode = mode,
        .last = VW,
        .next_step = each,
        .next_line = each > LINE_FLOATS ? LINE_FLOATS : 0,
    };
    for (size_t i = 0, n; i < count; i++) {
        n = even + (longer > 0);
        longer -= longer > 0;
        if (p->side && k1 == p->k && !scratch)
            fetch_side(p, at, n, t.c);
        if (i < fetching) {
            t.next = next + i * t.k * t.next_step;
            tiles[K_UNIT_FETCHING][at->vectors - 1][n - 1](&t);
        } else if (at->full || scratch)
            fit[n - 1](&t);
        else
            edge_tile(t, at, n, kind == K_UNIT && !at->gated, fit[n - 1]);
        if (p->epilogue && k1 == p->k && !scratch)
            finish_tile(p, at, n, t.c);
        t.a += n * p->a_row;
        t.c += n * t.c_row;
        t.index += p->index ? n : 0;
    }
}

/* Where the k's of A are far apart, each of them takes a line of the first cache, and so does what it meets of
 * B. So a chain goes in parts of k, each for the tiles of all rows. A chain that goes on from what was
 * stored of it is the same chain; one that is added when it is complete grows in scratch. */
enum { FEWEST_NEAR_ROWS = UR_SIZE(12, 2) };

static void add_scratch(const ur_product *p, const panel *at, size_t row0, size_t rows, bool last,
                        const float *scratch)
{
    float *c = p->c + row0 * p->c_row + at->first;
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < (size_t)at->vectors; v++) {
            float *to = c + r * p->c_row + v * at->step;
            const size_t n = lanes_of(at, v);
            v_store_n(to, v_add(v_load_n(to, n), v_load(scratch + r * NR + v * VW)), n);
        }
    if (p->epilogue && last)
        finish_tile(p, at, rows, c);
}

static void chain_in_parts(const ur_product *p, const panel *at, size_t row0, size_t row1,
                           size_t k0, size_t k1, int mode)
{
    float scratch[STRIP_ROWS * NR];
    const size_t parts = (k1 - k0 + NEAR_K - 1) / NEAR_K;
    for (size_t k = k0, part = 0, end; part < parts; part++, k = end) {
        end = k0 + (k1 - k0) * (part + 1) / parts;
        const int start = part ? FROM_C : k0 ? FROM_BIAS : mode;
        // cppcheck-suppress legacyUninitvar ; the first part starts from zero and writes all of it
        tiles_part(p, at, row0, row1, k, end, start, k0 ? scratch : NULL, NULL);
    }
    if (k0)
        add_scratch(p, at, row0, row1 - row0, k1 == p->k, scratch);
}

/* Rows [row0, row1) of one panel, one chain over k: [k0, k1). */
static void product_chain(const ur_product *p, const panel *at, size_t row0, size_t row1, size_t k0,
                          size_t k1, const float *next)
{
    static const int modes[] = {
        [UR_START_C] = FROM_C, [UR_START_BIAS] = FROM_BIAS, [UR_START_ROWS] = FROM_ROWS};
    const int mode = k0 ? ADD_TO_C : modes[p->start];
    const bool near =
        p->a_k == 1 || k1 - k0 < NEAR_K + NEAR_K / 2 || row1 - row0 < FEWEST_NEAR_ROWS;
    if (near) {
        tiles_part(p, at, row0, row1, k0, k1, mode, NULL, next);
        return;
    }
    for (size_t r0 = row0, r1; r0 < row1; r0 = r1) {
        r1 = r0 + at_most(row1 - r0, STRIP_ROWS);
        chain_in_parts(p, at, r0, r1, k0, k1, mode);
    }
}

/* What is read again stays in a core's second cache. Where A's k's are neighbours, that is a strip of
 * A, read again for each panel. Where its rows are, it is a group of panels, read again for each
 * strip: A may then be larger than any cache, as it is fetched a strip ahead. */
enum {
    NEAR_FLOATS = UR_SIZE(256 * 1024, 1024),
    FEWEST_ROWS = UR_SIZE(64, 5),
    LONGEST_ROWS = NEAR_FLOATS / 128,
    GROUP_PANELS = 4
};

/* Rows of a strip of A whose rows have k floats, as even as possible. */
static size_t strip_rows(size_t m, size_t k)
{
    const size_t near = k ? NEAR_FLOATS / k : m, most = near < FEWEST_ROWS ? FEWEST_ROWS : near;
    const size_t strips = (m + most - 1) / most;
    return (m + strips - 1) / strips;
}

/* What of B is wanted after k1 of this panel: the rest up to `end`, or the next panel from k0 on. */
static const float *after_part(const ur_product *p, const panel *at, size_t index, size_t k0,
                               size_t k1, size_t end)
{
    if (k1 < end)
        return part_of_b(p, at, k1);
    if (index + 1 == panels(p->columns))
        return NULL;
    const panel next = panel_at(p->columns, index + 1);
    return part_of_b(p, &next, k0);
}

/* Rows [r0, r1) of one panel, k in [k0, k1). */
static void product_part(const ur_product *p, size_t index, bool far, size_t r0, size_t r1,
                         size_t k0, size_t k1)
{
    const panel at = panel_at(p->columns, index);
    size_t c0 = k0, c1;
    do { /* also once for k == 0: C = start */
        c1 = c0 + at_most(k1 - c0, UR_CHAIN);
        const float *next = far ? after_part(p, &at, index, k0, c1, k1) : NULL;
        product_chain(p, &at, r0, r1, c0, c1, next);
        c0 = c1;
    } while (c0 < k1);
}

/* Panels [begin, end), k in [k0, k1), a strip of A after the other. */
static void panels_part(const ur_product *p, size_t begin, size_t end, bool far, size_t strip,
                        size_t k0, size_t k1)
{
    for (size_t r0 = 0, r1; r0 < p->m; r0 = r1) {
        r1 = r0 + at_most(p->m - r0, strip);
        for (size_t i = begin; i < end; i++)
            product_part(p, i, far, r0, r1, k0, k1);
    }
}

static void product(const ur_product *p, size_t begin, size_t end)
{
    const bool unit_k = p->a_k == 1;
    const size_t vectors = p->columns.gates * vectors_of(p->columns);
    const bool far = unit_k && vectors * VW * p->k > (p->far ? NEAR_FLOATS / 8 : FAR_FLOATS);
    if (unit_k && p->m <= FEWEST_ROWS) { /* all of k at a time */
        panels_part(p, begin, end, far, p->m, 0, p->k);
        return;
    }
    /* The same with short rows of A; otherwise, and where A's k's are far apart, a chain at a time. */
    const bool whole = unit_k && p->k <= LONGEST_ROWS;
    const size_t part = whole ? p->k : UR_CHAIN, group = unit_k ? end - begin : GROUP_PANELS;
    const size_t strip = unit_k ? strip_rows(p->m, part) : STRIP_ROWS;
    size_t k0 = 0, k1;
    do {
        const size_t left = p->k - k0;
        k1 = k0 + (left < 2 * part ? left : part); /* C is not fetched again for a short rest */
        for (size_t i = begin; i < end; i += group)
            panels_part(p, i, i + at_most(end - i, group), far, strip, k0, k1);
        k0 = k1;
    } while (k0 < p->k);
}

/* VW rows of W side by side: a transposition, block by block. Rows from `valid` on are zeros. */
static void pack_vector(size_t k, const float *w, size_t w_row, size_t valid, float *out,
                        size_t out_row)
{
    for (size_t i = 0; i < k; i += VW) {
        const size_t n = at_most(k - i, VW);
        vf block[VW];
        for (size_t lane = 0; lane < VW; lane++) {
            const float *row = w + lane * w_row + i;
            block[lane] = lane >= valid ? v_zero() : n == VW ? v_load(row) : v_load_n(row, n);
        }
        v_transpose(block);
        for (size_t j = 0; j < n; j++)
            v_store(out + (i + j) * out_row, block[j]);
    }
}

static void pack_rows(ur_columns columns, size_t k, const float *w, size_t w_row, float *packed,
                      size_t begin, size_t end)
{
    for (size_t p = 0; p < panels(columns); p++) {
        const panel at = panel_at(columns, p);
        for (size_t v = 0; v < (size_t)at.vectors; v++) {
            const size_t row = at.first + v * at.step;
            if (row >= begin && row < end)
                pack_vector(k, w + row * w_row, w_row, lanes_of(&at, v),
                            packed + (at.before * k + v) * VW, (size_t)at.vectors * VW);
        }
    }
}

static void pack_cols(ur_columns columns, size_t k, const float *b, size_t b_row,
                      const size_t *rows, float *packed, size_t begin, size_t end)
{
    for (size_t p = 0; p < panels(columns); p++) {
        const panel at = panel_at(columns, p);
        const size_t vectors = (size_t)at.vectors;
        float *out = packed + (at.before * k + begin * vectors) * VW;
        for (size_t i = begin; i < end; i++, out += vectors * VW) {
            const float *row = b + (rows ? rows[i] : i) * b_row + at.first;
            for (size_t v = 0; v < vectors; v++) {
                const size_t lanes = at.full ? VW : lanes_of(&at, v);
                const float *from = row + v * at.step;
                v_store(out + v * VW, lanes == VW ? v_load(from) : v_load_n(from, lanes));
            }
        }
    }
}
