/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
/*
 * What every component does around its own work, whoever calls it: look at what it is handed before
 * it uses it, and say what is wrong with it. `gateway check-plugin` tries whether a component does.
 */
#ifndef CAREFUL_H
#define CAREFUL_H

#include <stddef.h>
#include <string.h>

#include "gwc/gwc.h"

#define TEXT(literal) ((gwc_str){literal, sizeof(literal) - 1})

/* Fills the caller's error as far as it reaches, and returns its status. */
static inline gwc_status fail(gwc_error *err, gwc_status status, const char *message) {
    gwc_error whole = {sizeof whole, status, "", ""};
    uint32_t size;
    if (!err) return status;
    size = err->struct_size < sizeof whole ? err->struct_size : sizeof whole;
    if (size <= offsetof(gwc_error, code)) return status;
    strncpy(whole.message, message, sizeof whole.message - 1);
    whole.struct_size = err->struct_size;
    memcpy(err, &whole, size);
    if (size > offsetof(gwc_error, code)) ((char *)err)[size - 1] = 0;
    return status;
}

static inline int is_text(gwc_str text) { return text.len == 0 || (text.ptr && text.len <= 1 << 20); }

/* Whether a text is UTF-8; enough of it for names. */
static inline int is_utf8(gwc_str text) {
    uint64_t i = 0;
    while (i < text.len) {
        unsigned char c = (unsigned char)text.ptr[i++];
        int more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : -1;
        if (more < 0) return 0;
        while (more-- > 0)
            if (i >= text.len || ((unsigned char)text.ptr[i++] & 0xc0) != 0x80) return 0;
    }
    return 1;
}

static inline int same(gwc_str a, gwc_str b) { return a.len == b.len && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len)); }

/* The size of an element of a type; 0 if there is no such type. */
static inline size_t element(uint32_t type) {
    static const unsigned char sizes[] = {0, 16, 8, 8, 4, 4, 1, 4, 1, 2, 16};
    return type < sizeof sizes ? sizes[type] : 0;
}

/* NULL if the list can be read, else what is wrong with it. */
static inline const char *judge(const gwc_properties *list) {
    if (!list || list->struct_size < sizeof *list) return "no list of properties";
    if (list->count == 0) return NULL;
    if (list->count > 10000 || !list->items || list->property_size < sizeof(gwc_property) || list->property_size % 8)
        return "count, items or property_size of the properties is wrong";
    for (uint64_t i = 0; i < list->count; i++) {
        const gwc_property *one = (const gwc_property *)((const char *)list->items + i * list->property_size);
        if (one->struct_size < sizeof *one || !is_text(one->name) || !is_utf8(one->name)) return "a property without a name";
        if (!element(one->type)) return "a property of a type that does not exist";
        if (one->is_array > 1 || (!one->is_array && one->count != 1)) return "is_array and count of a property do not fit";
        if (one->count && (!one->values || (uintptr_t)one->values % (element(one->type) > 8 ? 8 : element(one->type))))
            return "a property without values";
        if (one->type == GWC_TYPE_BOOLEAN)
            for (uint32_t n = 0; n < one->count; n++)
                if (((const uint8_t *)one->values)[n] > 1) return "a Boolean that is neither 0 nor 1";
        if (one->type == GWC_TYPE_STRING || one->type == GWC_TYPE_PASSWORD)
            for (uint32_t n = 0; n < one->count; n++)
                if (!is_text(((const gwc_str *)one->values)[n]) || !is_utf8(((const gwc_str *)one->values)[n]))
                    return "a text that is none";
        for (uint64_t k = 0; k < i; k++)
            if (same(one->name, ((const gwc_property *)((const char *)list->items + k * list->property_size))->name))
                return "a property that occurs twice";
    }
    return NULL;
}

#endif
