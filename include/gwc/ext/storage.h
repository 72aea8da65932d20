/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_STORAGE_H
#define GWC_EXT_STORAGE_H

/* gwc.storage/1, offered by the host: a private folder per instance. */

#include "../status.h"
#include "../types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_STORAGE "gwc.storage/1"

typedef struct gwc_storage {
    uint32_t struct_size;
    uint32_t reserved;
    /* The absolute path of the instance's own folder, which exists, has mode
     * 0700, and survives restarts and upgrades. [worker] */
    gwc_status (*folder)(void *ctx, gwc_sink out, gwc_error *err);
} gwc_storage;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_STORAGE_H */
