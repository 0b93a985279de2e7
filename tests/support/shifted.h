/* shifted.h - a backend whose memory only the backend itself can reach: that of the CPU, handing out
 * addresses shifted by a constant. Whoever follows one elsewhere faults; one that an operation gets
 * which is not shifted fails the test. */
#ifndef UR_TESTS_SHIFTED_H
#define UR_TESTS_SHIFTED_H

#include "backend/backend.h"

extern const ur_backend shifted_backend;

/* A context that computes by it. */
ur_context *shifted_context(const char *isa, int threads);

#endif
