/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_EVENTS_H
#define GWC_EXT_EVENTS_H

/* gwc.events/1, offered by the host: its event bus (OSGi EventAdmin). */

#include "../status.h"
#include "../types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_EVENTS "gwc.events/1"

typedef struct gwc_events {
    uint32_t struct_size;
    uint32_t reserved;
    /* Posts an event; json is an object of its properties. [worker] */
    gwc_status (*post)(void *ctx, gwc_str topic, gwc_str json, gwc_error *err);
} gwc_events;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_EVENTS_H */
