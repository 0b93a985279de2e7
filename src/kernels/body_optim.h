/* body_optim.h - one step of Adam and of SGD over a vector of weights (kernels.h has the
 * equations). Every product that is added to something is fused. */

/* A moment below 2^-100 becomes zero: left alone it would decay into the denormal numbers, whose
 * arithmetic costs a hundred times the ordinary. */
static inline vf no_trace(vf moment)
{
    return v_select(v_cmp_lt(v_abs(moment), v_set(0x1p-100f)), v_zero(), moment);
}

typedef struct adam_constants {
    vf keep2, take1, take2, eps, weight_decay, step_size, inv_sqrt_bias2, grad_scale, keep_w;
} adam_constants;

/* One vector of weights: in and out m, v, w. */
static inline void adam_vector(const adam_constants *a, vf grad, vf *m, vf *v, vf *w)
{
    const vf g = v_fma(a->weight_decay, *w, v_mul(a->grad_scale, grad));
    *m = no_trace(v_fma(a->take1, v_sub(g, *m), *m));
    *v = no_trace(v_fma(v_mul(a->take2, g), g, v_mul(a->keep2, *v)));
    const vf below = v_fma(v_sqrt(*v), a->inv_sqrt_bias2, a->eps);
    *w = v_fnma(a->step_size, v_div(*m, below), v_mul(a->keep_w, *w));
}

static void adam(const ur_adam *a, size_t n, const float *grad, float *m, float *v, float *w)
{
    const adam_constants constants = {
        .keep2 = v_set(a->beta2),
        .take1 = v_set(1.0f - a->beta1),
        .take2 = v_set(1.0f - a->beta2),
        .eps = v_set(a->eps),
        .weight_decay = v_set(a->weight_decay),
        .step_size = v_set(a->step_size),
        .inv_sqrt_bias2 = v_set(a->inv_sqrt_bias2),
        .grad_scale = v_set(a->grad_scale),
        .keep_w = v_set(1.0f - a->decoupled_decay),
    };
    for (; n >= VW; n -= VW, grad += VW, m += VW, v += VW, w += VW) {
        vf first = v_load(m), second = v_load(v), weight = v_load(w);
        adam_vector(&constants, v_load(grad), &first, &second, &weight);
        v_store(m, first);
        v_store(v, second);
        v_store(w, weight);
    }
    if (n) {
        vf first = v_load_n(m, n), second = v_load_n(v, n), weight = v_load_n(w, n);
        adam_vector(&constants, v_load_n(grad, n), &first, &second, &weight);
        v_store_n(m, first, n);
        v_store_n(v, second, n);
        v_store_n(w, weight, n);
    }
}

typedef struct sgd_constants {
    vf lr, momentum, weight_decay, grad_scale;
    bool nesterov, first;
} sgd_constants;

static inline void sgd_vector(const sgd_constants *s, vf grad, vf *velocity, vf *w)
{
    const vf g = v_fma(s->weight_decay, *w, v_mul(s->grad_scale, grad));
    *velocity = s->first ? g : v_fma(s->momentum, *velocity, g);
    *w = v_fnma(s->lr, s->nesterov ? v_fma(s->momentum, *velocity, g) : *velocity, *w);
}

static void sgd(const ur_sgd *s, size_t n, const float *grad, float *velocity, float *w)
{
    const sgd_constants constants = {
        .lr = v_set(s->lr),
        .momentum = v_set(s->momentum),
        .weight_decay = v_set(s->weight_decay),
        .grad_scale = v_set(s->grad_scale),
        .nesterov = s->nesterov && velocity,
        .first = s->first || !velocity,
    };
    for (size_t i = 0; i < n; i += VW) {
        const size_t lanes = n - i < VW ? n - i : VW;
        vf weight = v_load_n(w + i, lanes);
        vf speed = velocity ? v_load_n(velocity + i, lanes) : v_zero();
        sgd_vector(&constants, v_load_n(grad + i, lanes), &speed, &weight);
        if (velocity)
            v_store_n(velocity + i, speed, lanes);
        v_store_n(w + i, weight, lanes);
    }
}
