/* tiny.h - sizes that the tests' second build makes absurdly small.
 *
 * Work is cut into pieces of a size that suits a processor or a disk: shards, blocks of sums, chunks
 * of memory, buffers. Small tests rarely see a second piece. The build with UNROLL_TINY (preset
 * `tiny`) has pieces so small that every test meets their edges, the second one and the last. Where a
 * size decides the order of a sum, that build's bits are others, the same ones on all its threads and
 * instruction sets. */
#ifndef UR_BASE_TINY_H
#define UR_BASE_TINY_H

#ifdef UR_TINY
#define UR_SIZE(normal, tiny) (tiny)
#else
#define UR_SIZE(normal, tiny) (normal)
#endif

#endif
