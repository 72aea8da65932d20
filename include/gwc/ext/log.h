/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_LOG_H
#define GWC_EXT_LOG_H

/* gwc.log/1, offered by the host: where a component's log lines go. */

#include "../status.h"
#include "../types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_LOG "gwc.log/1"

#define GWC_LOG_ERROR 1u
#define GWC_LOG_WARN 2u
#define GWC_LOG_INFO 3u
#define GWC_LOG_DEBUG 4u
#define GWC_LOG_TRACE 5u

typedef struct gwc_log {
    uint32_t struct_size;
    uint32_t reserved;
    /* The most detailed level that the host wants; 0 for none. [any-thread] */
    uint32_t (*max_level)(void *ctx);
    /* One line, without its line feed. The only host function that may be called
     * from inside activate, update and deactivate; it does not block. [any-thread] */
    void (*write)(void *ctx, uint32_t level, gwc_str target, gwc_str message);
} gwc_log;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_LOG_H */
