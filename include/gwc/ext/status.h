/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_STATUS_H
#define GWC_EXT_STATUS_H

/* gwc.status/1, offered by the component: what it is doing, and why not. */

#include "../component.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_STATUS "gwc.status/1"

typedef struct gwc_component_status {
    uint32_t struct_size;
    uint32_t reserved;
    /* The status document: JSON with a "version", never a secret. Works in
     * every state. [any-thread] */
    gwc_status (*get)(gwc_component *self, gwc_sink out, gwc_error *err);
    /* Calls changed with the document after every change, at most ten times a
     * second, the last change never lost; from the worker, so changed must not
     * block and must not call back into self. changed NULL ends it; after that
     * call has returned changed is not called again. [control] */
    gwc_status (*watch)(gwc_component *self, void (*changed)(void *ctx, gwc_bytes document),
                        void *ctx, gwc_error *err);
} gwc_component_status;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_STATUS_H */
