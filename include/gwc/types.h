/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_TYPES_H
#define GWC_TYPES_H

/*
 * The types that cross the boundary. Fixed-width integers only: no enum, bool,
 * bit-field or long. Every table and record begins with struct_size, the size
 * its writer compiled; a reader uses a field only if it lies within that size.
 * Text is UTF-8 with an explicit length and no terminator; {NULL, 0} is empty.
 */

#include <stddef.h>
#include <stdint.h>

/* Version of this contract. A different major is refused by gwc_entry. */
#define GWC_ABI_MAJOR 1u
#define GWC_ABI_MINOR 0u

#ifdef __cplusplus
extern "C" {
#endif

/* UTF-8 text. Borrowed for the call unless the sentence beside it says otherwise. */
typedef struct gwc_str {
    const char *ptr;
    uint64_t len; /* bytes */
} gwc_str;

/* Bytes. Borrowed for the call unless the sentence beside it says otherwise. */
typedef struct gwc_bytes {
    const uint8_t *ptr;
    uint64_t len;
} gwc_bytes;

/*
 * How a callee hands out a result of unknown length: it calls put, once, before
 * it returns GWC_OK, and never otherwise. data is borrowed for that call; who
 * wants to keep it copies it. So nobody ever frees the other side's memory.
 */
typedef struct gwc_sink {
    void *ctx;
    void (*put)(void *ctx, gwc_bytes data);
} gwc_sink;

/* The ten property types of the OSGi metatype as Kura writes them. */
#define GWC_TYPE_STRING 1u   /* gwc_str */
#define GWC_TYPE_LONG 2u     /* int64_t */
#define GWC_TYPE_DOUBLE 3u   /* double, IEEE 754 */
#define GWC_TYPE_FLOAT 4u    /* float, IEEE 754 */
#define GWC_TYPE_INTEGER 5u  /* int32_t */
#define GWC_TYPE_BYTE 6u     /* int8_t */
#define GWC_TYPE_CHAR 7u     /* uint32_t, a Unicode scalar value */
#define GWC_TYPE_BOOLEAN 8u  /* uint8_t, 0 or 1 */
#define GWC_TYPE_SHORT 9u    /* int16_t */
#define GWC_TYPE_PASSWORD 10u /* gwc_str, in clear: never log it, never write it */

/* One property. values points to count elements of the C type of its type. */
typedef struct gwc_property {
    uint32_t struct_size;
    uint32_t type;     /* GWC_TYPE_... */
    uint32_t is_array; /* 0: a scalar, count is 1; 1: an array of count elements */
    uint32_t count;
    gwc_str name;
    const void *values; /* aligned for the element type; NULL only if count is 0 */
} gwc_property;

/* A list of properties. items are property_size bytes apart. A name occurs once. */
typedef struct gwc_properties {
    uint32_t struct_size;
    uint32_t property_size; /* sizeof(gwc_property) of the side that wrote the list */
    uint64_t count;
    const gwc_property *items;
} gwc_properties;

#ifdef __cplusplus
}
#endif

#endif /* GWC_TYPES_H */
