/* as_double.h - read before every source of the double-precision build (UR_REAL_IS_DOUBLE).
 *
 * The same plain sources, with double for float: gradients can then be held against finite
 * differences to 1e-6 and better. System headers come first, so that they keep their floats; after
 * them the word float and libm's functions on it mean double. A literal such as 0.1f stays what it
 * is, a float widened: forward and backward see the same constant. */
#ifndef UR_TESTS_AS_DOUBLE_H
#define UR_TESTS_AS_DOUBLE_H

/* Some sources ask for it; here they would ask too late. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#include <Random123/philox.h>
#include <utf8proc.h>
#ifdef UR_DOUBLE_TEST /* a test, not the library: cmocka takes names like `fail` */
#include <cmocka.h>
#endif

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wkeyword-macro"
#endif
#define float double

#define ceilf ceil
#define copysignf copysign
#define cosf cos
#define erff erf
#define exp2f exp2
#define expf exp
#define expm1f expm1
#define fabsf fabs
#define floorf floor
#define fmaf fma
#define fmaxf fmax
#define fminf fmin
#define fmodf fmod
#define frexpf frexp
#define hypotf hypot
#define ldexpf ldexp
#define log1pf log1p
#define log2f log2
#define logf log
#define lrintf lrint
#define nearbyintf nearbyint
#define nextafterf nextafter
#define powf pow
#define rintf rint
#define roundf round
#define scalbnf scalbn
#define sinf sin
#define sqrtf sqrt
#define strtof strtod
#define tanhf tanh
#define truncf trunc

#undef FLT_EPSILON
#undef FLT_MAX
#undef FLT_MIN
#undef FLT_TRUE_MIN
#undef FLT_MANT_DIG
#define FLT_EPSILON DBL_EPSILON
#define FLT_MAX DBL_MAX
#define FLT_MIN DBL_MIN
#define FLT_TRUE_MIN DBL_TRUE_MIN
#define FLT_MANT_DIG DBL_MANT_DIG

#endif
