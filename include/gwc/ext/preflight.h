/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_PREFLIGHT_H
#define GWC_EXT_PREFLIGHT_H

/* gwc.preflight/1, offered by the component: the local checks, on demand. */

#include "../component.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_PREFLIGHT "gwc.preflight/1"

typedef struct gwc_preflight {
    uint32_t struct_size;
    uint32_t reserved;
    /* Runs every check now and waits for the results, at most 5 s. JSON: a list
     * of name, passed, detail, code. Touches nothing outside the gateway. Only
     * while active. [any-thread] */
    gwc_status (*run)(gwc_component *self, gwc_sink out, gwc_error *err);
} gwc_preflight;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_PREFLIGHT_H */
