/* json_tree.h - the values of a JSON text (RFC 8259) as nodes, for json_read.c and safetensors_read.c.
 *
 * Strict: the text is one value with white space around it, strings are UTF-8 without a zero byte (but for
 * \udc80 to \udcff, the bytes 80 to ff of a path, as Python's surrogateescape has them), the
 * keys of an object differ, numbers are not beyond a double's range, and values are nested at most
 * UR_JSON_DEEPEST times. Nothing recurses. All memory comes from the hooks. */
#ifndef UR_IO_JSON_TREE_H
#define UR_IO_JSON_TREE_H

#include "unroll/core.h"

enum { UR_JSON_DEEPEST = 1000 };

typedef enum ur_json_type {
    UR_JSON_NULL,
    UR_JSON_FALSE,
    UR_JSON_TRUE,
    UR_JSON_WHOLE, /* a number without point and exponent that fits 64 bits */
    UR_JSON_REAL,  /* any other */
    UR_JSON_STRING,
    UR_JSON_LIST,
    UR_JSON_OBJECT
} ur_json_type;

typedef struct ur_json_node {
    union {
        int64_t whole;
        double real;
        uint32_t text; /* a string: where it begins in `strings` */
        struct {
            uint32_t first, count; /* of a list or an object: its values, in `items` */
        } range;
    } as;
    uint32_t key; /* a member of an object: where its key begins in `strings` */
    uint8_t type; /* ur_json_type */
} ur_json_node;

typedef struct ur_json_tree {
    const ur_allocator *allocator;
    ur_json_node *nodes;
    size_t node_count, node_capacity;
    uint32_t
        *items; /* nodes; the values of a list or an object side by side, in the text's order */
    size_t item_count, item_capacity;
    bool has_bytes; /* a string has bytes of a path */
    char *strings;  /* each with a zero byte at its end */
    size_t string_bytes;
} ur_json_tree;

/* What is wrong with a text, and in which of its lines, from 1. */
typedef struct ur_json_fault {
    char what[160];
    size_t line;
} ur_json_fault;

/* An empty tree, with room for the strings of `size` bytes of text, less than 4 GiB. */
ur_status ur_json_tree_new(const ur_allocator *a, size_t size, ur_json_tree *out, ur_err *err);
void ur_json_tree_free(ur_json_tree *tree);

/* Adds a text's value, *root in `nodes`; all texts of a tree together have no more bytes than it was made
 * for. UR_BAD_FILE: *fault says why, and *err nothing. */
ur_status ur_json_tree_add(ur_json_tree *tree, const char *text, size_t size, uint32_t *root,
                           ur_json_fault *fault, ur_err *err);
/* Adds a list of nodes that are there. */
ur_status ur_json_tree_list(ur_json_tree *tree, const uint32_t *nodes, size_t count, uint32_t *root,
                            ur_err *err);

/* Value `index` of a list or an object; NULL: `node` (NULL: no node) is neither, or has not so many. */
const ur_json_node *ur_json_tree_at(const ur_json_tree *tree, const ur_json_node *node,
                                    size_t index);
/* How many these are; 0 of other nodes. */
size_t ur_json_tree_count(const ur_json_node *node);
/* The member of an object; NULL: there is none, or `node` is no object. */
const ur_json_node *ur_json_tree_member(const ur_json_tree *tree, const ur_json_node *node,
                                        const char *key);
/* A member's key; a string's text, NULL of other nodes. */
const char *ur_json_tree_key(const ur_json_tree *tree, const ur_json_node *node);
const char *ur_json_tree_text(const ur_json_tree *tree, const ur_json_node *node);

#endif
