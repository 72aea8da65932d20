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
    /* Calls changed.put with the document after every change, at most ten times
     * a second, the last change never lost; from the worker, so it must not block
     * and must not call back into self. put NULL ends it; once that call has
     * returned, the earlier one is not called again. changed.ctx must live until
     * then, or until destroy has returned. [control] */
    gwc_status (*watch)(gwc_component *self, gwc_sink changed, gwc_error *err);
} gwc_component_status;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_STATUS_H */
