/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_HOST_H
#define GWC_HOST_H

/*
 * What a host gives to a component instance. One gwc_host per instance: its ctx
 * tells the host which instance is calling.
 */

#include "status.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gwc_host {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    /* Handed back as the first argument of every host function. Owned by the
     * host, valid until destroy of the instance has returned. */
    void *ctx;
    gwc_str name;    /* of the framework; owned by the host until destroy */
    gwc_str version; /* of the framework; owned by the host until destroy */
    /* The table of the extension named id (see ext/), or NULL where the host
     * does not offer it. Owned by the host, valid and unchanged until destroy
     * of the instance has returned. [any-thread] */
    const void *(*get_extension)(void *ctx, gwc_str id);
} gwc_host;

#ifdef __cplusplus
}
#endif

#endif /* GWC_HOST_H */
