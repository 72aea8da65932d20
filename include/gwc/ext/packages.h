/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_PACKAGES_H
#define GWC_EXT_PACKAGES_H

/* gwc.packages/1, offered by the host: installing applications. Changes are
 * durable when the call returns, and idempotent by their key. */

#include "../status.h"
#include "../types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_PACKAGES "gwc.packages/1"

typedef struct gwc_package {
    uint32_t struct_size;
    uint32_t reserved;
    gwc_str name;
    gwc_str version;
} gwc_package;

/* put is called once per package. */
typedef struct gwc_package_sink {
    void *ctx;
    void (*put)(void *ctx, const gwc_package *package);
} gwc_package_sink;

typedef struct gwc_packages {
    uint32_t struct_size;
    uint32_t reserved;
    /* The installed packages. [worker] */
    gwc_status (*list)(void *ctx, gwc_package_sink out, gwc_error *err);
    /* Reads the archive at path without installing it, and hands its metatype
     * descriptors to out, one put each. GWC_E_INVALID where it is no package of
     * this name and version. [worker] */
    gwc_status (*inspect)(void *ctx, gwc_str name, gwc_str version, gwc_str path, gwc_sink out,
                          gwc_error *err);
    /* Installs the archive at path, replacing another version. [worker] */
    gwc_status (*install)(void *ctx, gwc_str key, gwc_str name, gwc_str version, gwc_str path,
                          gwc_error *err);
    /* Brings back what was there before the install of that key. [worker] */
    gwc_status (*revert)(void *ctx, gwc_str key, gwc_error *err);
    /* Forgets what revert needs for that key. [worker] */
    gwc_status (*settle)(void *ctx, gwc_str key, gwc_error *err);
} gwc_packages;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_PACKAGES_H */
