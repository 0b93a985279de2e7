/* body_tile.h - the innermost loops of the packed product (body_gemm.h): a tile of R rows x V vectors of
 * C stays in registers while k runs. R is what the registers allow: R*V accumulators, one vector of B
 * at a time and one broadcast element of A. The chain of an element is the same whatever the tile
 * (kernels.h). */

#define NR (UR_PANEL_VECTORS * VW) /* the widest panel */

#if defined(UR_FEW_REGISTERS) /* 16 vector registers */
enum { ROWS_1 = 8, ROWS_2 = 6, ROWS_3 = 4, ROWS_4 = 3 };
enum { NEAR_K = UR_SIZE(96, 4) }; /* k's at a time where A's are far apart (body_gemm.h) */
#else                             /* 32 vector registers */
enum { ROWS_1 = 12, ROWS_2 = 12, ROWS_3 = 8, ROWS_4 = 6 };
enum { NEAR_K = UR_CHAIN };
#endif

enum {
    AHEAD = 8,       /* k's from one that is multiplied to one that is fetched */
    STRIP_ROWS = 48, /* three lines of A where its rows are neighbours: whole tiles of any shape */
    LINE_FLOATS = 16
};

/* How a tile's chains start. */
enum { FROM_C, FROM_BIAS, FROM_ROWS, ADD_TO_C };

/* Where a tile stands. All its vectors are whole, but for the last one that a tile of K_UNIT stores where `last`
 * says so: other ragged edges go through scratch. */
typedef struct tile {
    size_t k;
    const float *a; /* row r, element i at a[r*a_row + i*a_k] */
    size_t a_row, a_k;
    const float *b;    /* (k, vectors, VW) */
    const float *next; /* what is to be fetched meanwhile: a place for each k ... */
    size_t next_step;  /* ... so many floats on, a line of LINE_FLOATS at most, or two ... */
    size_t next_line;  /* ... the second of which is so many floats on */
    float *c;          /* vector v of row r at c + r*c_row + v*c_vec */
    size_t c_row, c_vec;
    size_t last;        /* lanes that C has of the last vector */
    const float *bias;  /* vector v at bias + v*c_vec, or NULL */
    const float *table; /* vector v of row r at table + index[r]*table_row + v*c_vec */
    size_t table_row;
    const int32_t *index;
    int mode;
} tile;

/* A's elements of one row are neighbours in memory, or those of one k; or the former, and the tile
 * fetches what stands at `next`. Plain C has one kind of tile for all, and small loops. */
enum { K_UNIT, ROWS_UNIT, K_UNIT_FETCHING, KINDS, ANY_KIND = KINDS };

#if defined(UR_ONE_KIND)
#define EACH_K for (size_t i = t->k; i; i--)
#else /* four k's a round: with one, the loop's own instructions take turns of the multipliers */
#define EACH_K _Pragma("GCC unroll 4") for (size_t i = t->k; i; i--)
#endif

/* The row below. Kept from the compiler, which would otherwise compute all rows' addresses before
 * the loop over k and have no registers for them. */
static inline float *below(float *row, size_t c_row)
{
    row += c_row;
    __asm__("" : "+r"(row));
    return row;
}

/* R rows x V vectors. */
static inline __attribute__((always_inline)) void tile_body(const tile *t, const int R, const int V,
                                                            const int kind)
{
    const bool unit_k = kind == K_UNIT || kind == K_UNIT_FETCHING;
    vf acc[12][UR_PANEL_VECTORS];
    const size_t a_row = kind == ROWS_UNIT ? 1 : t->a_row, a_k = unit_k ? 1 : t->a_k;
    const size_t c_row = t->c_row, c_vec = t->c_vec;

#define EACH_ROW _Pragma("GCC unroll 12") for (int r = 0; r < R; r++)
#define EACH_VECTOR _Pragma("GCC unroll 4") for (int v = 0; v < V; v++)
    float *row = t->c;
    if (t->mode == FROM_C) {
        EACH_ROW
        {
            EACH_VECTOR acc[r][v] = v_load(row + (size_t)v * c_vec);
            row = below(row, c_row);
        }
    } else if (t->mode == FROM_ROWS) {
        EACH_ROW
        {
            const float *start = t->table + (size_t)t->index[r] * t->table_row;
            EACH_VECTOR acc[r][v] = v_load(start + (size_t)v * c_vec);
        }
    } else if (t->mode == FROM_BIAS && t->bias) {
        EACH_ROW EACH_VECTOR acc[r][v] = v_load(t->bias + (size_t)v * c_vec);
    } else {
        EACH_ROW EACH_VECTOR acc[r][v] = v_zero();
    }

    const float *a = t->a, *b = t->b, *next = t->next;
    const size_t next_step = t->next_step;
    EACH_K
    {
        if (kind == ROWS_UNIT) { /* each k is on another page, where the processor does not look
                                    ahead, and the next strip maybe in no cache of this core */
            __builtin_prefetch(a + AHEAD * a_k);
            __builtin_prefetch(a + STRIP_ROWS, 0, 2);
        }
        if (kind == K_UNIT_FETCHING) {
            __builtin_prefetch(next, 0, 2);
            if (NR > 2 * LINE_FLOATS) /* elsewhere few tiles are enough */
                __builtin_prefetch(next + t->next_line, 0, 2);
            next += next_step;
        }
        /* The fewer of the two stay in registers beside the accumulators: 12 + 3 + 1 of 16. */
        if (R < V) {
            vf s[UR_PANEL_VECTORS];
            EACH_ROW s[r] = v_broadcast(a + (size_t)r * a_row);
            EACH_VECTOR
            {
                const vf x = v_load(b + v * VW);
                EACH_ROW acc[r][v] = v_fma(s[r], x, acc[r][v]);
            }
        } else {
            vf x[UR_PANEL_VECTORS];
            EACH_VECTOR x[v] = v_load(b + v * VW);
            EACH_ROW
            {
                const vf s = v_broadcast(a + (size_t)r * a_row);
                EACH_VECTOR acc[r][v] = v_fma(s, x[v], acc[r][v]);
            }
        }
        a += a_k;
        b += V * VW;
    }

    row = t->c;
    if (t->mode == ADD_TO_C) {
        EACH_ROW
        {
            EACH_VECTOR acc[r][v] = v_add(v_load(row + (size_t)v * c_vec), acc[r][v]);
            row = below(row, c_row);
        }
        row = t->c;
    }
    if ((kind == K_UNIT || kind == ANY_KIND) && t->last < VW) {
        const size_t last = t->last;
        EACH_ROW
        {
            EACH_VECTOR
            {
                if (v + 1 < V)
                    v_store(row + (size_t)v * c_vec, acc[r][v]);
                else
                    v_store_n(row + (size_t)v * c_vec, acc[r][v], last);
            }
            row = below(row, c_row);
        }
        return;
    }
    EACH_ROW
    {
        EACH_VECTOR v_store(row + (size_t)v * c_vec, acc[r][v]);
        row = below(row, c_row);
    }
#undef EACH_ROW
#undef EACH_VECTOR
}

#define TILE_OF(w, R, V, kind)                                                                     \
    static void tile_##w##_##R##_##V(const tile *t)                                                \
    {                                                                                              \
        tile_body(t, R, V, kind);                                                                  \
    }
#if defined(UR_ONE_KIND)
#define TILE(R, V) TILE_OF(k, R, V, ANY_KIND)
#define TILE_TABLES(of) of(k), of(k), of(k)
#else
#define TILE(R, V)                                                                                 \
    TILE_OF(k, R, V, K_UNIT) TILE_OF(m, R, V, ROWS_UNIT) TILE_OF(f, R, V, K_UNIT_FETCHING)
#define TILE_TABLES(of) of(k), of(m), of(f)
#endif
#define TILES(V) TILE(1, V) TILE(2, V) TILE(3, V)
#define TILES_TO_6(V) TILES(V) TILE(4, V) TILE(5, V) TILE(6, V)
#define TILES_TO_8(V) TILES_TO_6(V) TILE(7, V) TILE(8, V)
#define TILES_TO_12(V) TILES_TO_8(V) TILE(9, V) TILE(10, V) TILE(11, V) TILE(12, V)

#define NAMES_3(w, V) tile_##w##_1_##V, tile_##w##_2_##V, tile_##w##_3_##V
#define NAMES_4(w, V) NAMES_3(w, V), tile_##w##_4_##V
#define NAMES_6(w, V) NAMES_4(w, V), tile_##w##_5_##V, tile_##w##_6_##V
#define NAMES_8(w, V) NAMES_6(w, V), tile_##w##_7_##V, tile_##w##_8_##V
#define NAMES_12(w, V)                                                                             \
    NAMES_8(w, V), tile_##w##_9_##V, tile_##w##_10_##V, tile_##w##_11_##V, tile_##w##_12_##V

typedef void (*tile_fn)(const tile *);

#if defined(UR_FEW_REGISTERS)
TILES_TO_8(1)
TILES_TO_6(2)
TILES(3)
TILE(4, 3)
TILES(4)
#define TILE_TABLE(w)                                                                              \
    {                                                                                              \
        {NAMES_8(w, 1)}, {NAMES_6(w, 2)}, {NAMES_4(w, 3)},                                         \
        {                                                                                          \
            NAMES_3(w, 4)                                                                          \
        }                                                                                          \
    }
#else
TILES_TO_12(1)
TILES_TO_12(2)
TILES_TO_8(3)
TILES_TO_6(4)
#define TILE_TABLE(w)                                                                              \
    {                                                                                              \
        {NAMES_12(w, 1)}, {NAMES_12(w, 2)}, {NAMES_8(w, 3)},                                       \
        {                                                                                          \
            NAMES_6(w, 4)                                                                          \
        }                                                                                          \
    }
#endif
static const tile_fn tiles[KINDS][UR_PANEL_VECTORS][12] = {TILE_TABLES(TILE_TABLE)};
