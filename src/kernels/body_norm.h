/* body_norm.h - layer normalisation of a row (kernels.h has the equations), in passes over it that
 * stay in the first cache. */

static void norm(size_t n, float eps, const float *x, const float *gain, const float *bias,
                 float *y, float kept[2])
{
    const float mean = sum(n, x) / (float)n;
    const vf m = v_set(mean);
    partial squares = partial_set(0.0f);
    for (size_t at = 0; at < n; at += LANES)
        for (int i = 0; i < PARTS; i++) {
            const size_t lanes = n - at < LANES ? tail_lanes(n - at, i) : VW;
            const vf d = lanes == VW ? v_sub(v_load(x + at + i * VW), m)
                                     : v_keep_n(v_sub(v_load_n(x + at + i * VW, lanes), m), lanes);
            squares.part[i] = v_fma(d, d, squares.part[i]);
        }
    const float r = 1.0f / sqrtf(partial_sum(squares) / (float)n + eps);
    const vf factor = v_set(r);
    for (size_t i = 0; i < n; i += VW) {
        const size_t lanes = n - i < VW ? n - i : VW;
        vf z = v_mul(v_sub(v_load_n(x + i, lanes), m), factor);
        if (gain && bias)
            z = v_fma(z, v_load_n(gain + i, lanes), v_load_n(bias + i, lanes));
        else if (gain)
            z = v_mul(z, v_load_n(gain + i, lanes));
        else if (bias)
            z = v_add(z, v_load_n(bias + i, lanes));
        v_store_n(y + i, z, lanes);
    }
    kept[0] = mean;
    kept[1] = r;
}

static void norm_back(size_t n, const float *x, const float kept[2], const float *gain,
                      const float *dy, const float *extra, float *dx)
{
    const vf mean = v_set(kept[0]), factor = v_set(kept[1]);
    partial s = partial_set(0.0f), sz = partial_set(0.0f);
    for (size_t at = 0; at < n; at += LANES)
        for (int i = 0; i < PARTS; i++) {
            const size_t j = at + (size_t)i * VW;
            const size_t lanes = n - at < LANES ? tail_lanes(n - at, i) : VW;
            if (!lanes)
                break;
            vf d = v_load_n(dy + j, lanes); /* zeros behind the row: they add nothing */
            if (gain)
                d = v_mul(d, v_load_n(gain + j, lanes));
            const vf z = v_mul(v_sub(v_load_n(x + j, lanes), mean), factor);
            s.part[i] = v_add(s.part[i], d);
            sz.part[i] = v_fma(d, z, sz.part[i]);
        }
    const vf mean_d = v_set(partial_sum(s) / (float)n), mean_dz = v_set(partial_sum(sz) / (float)n);
    for (size_t i = 0; i < n; i += VW) {
        const size_t lanes = n - i < VW ? n - i : VW;
        vf d = v_load_n(dy + i, lanes);
        if (gain)
            d = v_mul(d, v_load_n(gain + i, lanes));
        const vf z = v_mul(v_sub(v_load_n(x + i, lanes), mean), factor);
        d = v_mul(factor, v_fnma(z, mean_dz, v_sub(d, mean_d)));
        if (extra)
            d = v_add(d, v_load_n(extra + i, lanes));
        v_store_n(dx + i, d, lanes);
    }
}

static void norm_sums(size_t n, const float *x, const float kept[2], const float *dy, float *dgain,
                      float *dbias)
{
    const vf mean = v_set(kept[0]), factor = v_set(kept[1]);
    for (size_t i = 0; i < n; i += VW) {
        const size_t lanes = n - i < VW ? n - i : VW;
        const vf d = v_load_n(dy + i, lanes);
        if (dgain) {
            const vf z = v_mul(v_sub(v_load_n(x + i, lanes), mean), factor);
            v_store_n(dgain + i, v_fma(d, z, v_load_n(dgain + i, lanes)), lanes);
        }
        if (dbias)
            v_store_n(dbias + i, v_add(v_load_n(dbias + i, lanes), d), lanes);
    }
}
