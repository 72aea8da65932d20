/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_CONFIGURATION_H
#define GWC_EXT_CONFIGURATION_H

/*
 * gwc.configuration/1, offered by the host: its configuration service.
 *
 * Every change is durable when the call returns. Changes that carry a key are
 * idempotent: the same key again has no second effect, and is GWC_OK.
 */

#include "../status.h"
#include "../types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_CONFIGURATION "gwc.configuration/1"

/* Flags of get. */
#define GWC_CONFIGURATION_SECRETS 1u /* Password values in clear; else they are empty */

/* The configuration of one component. */
typedef struct gwc_configuration_item {
    uint32_t struct_size;
    uint32_t reserved;
    gwc_str pid;         /* kura.service.pid */
    gwc_str factory_pid; /* empty for a singleton */
    const gwc_properties *properties;
} gwc_configuration_item;

/* items are item_size bytes apart. A pid occurs once. */
typedef struct gwc_configuration_list {
    uint32_t struct_size;
    uint32_t item_size;
    uint64_t count;
    const gwc_configuration_item *items;
} gwc_configuration_list;

/* As gwc_sink, for a list: put is called once, and only on success. */
typedef struct gwc_configuration_sink {
    void *ctx;
    void (*put)(void *ctx, const gwc_configuration_list *list);
} gwc_configuration_sink;

typedef struct gwc_configuration {
    uint32_t struct_size;
    uint32_t reserved;
    /* The configuration of pid, or of every component where pid is empty.
     * GWC_E_NOT_FOUND if there is none. [worker] */
    gwc_status (*get)(void *ctx, gwc_str pid, uint32_t flags, gwc_configuration_sink out,
                      gwc_error *err);
    /* Merges properties into the calling instance's own configuration. The host
     * answers by an update of the instance, later. A Password that is set to empty
     * is erased from older configurations that the host keeps, too. [worker] */
    gwc_status (*update_own)(void *ctx, const gwc_properties *properties, gwc_error *err);
    /* Checks list against the metatypes the host knows, without changing
     * anything. metatypes are count descriptors (XML) that staged packages will
     * bring. out, where its put is not NULL, receives what the configurations
     * would be: defaults, then running, then list. GWC_E_INVALID names the first
     * pid and property that does not fit. [worker] */
    gwc_status (*validate)(void *ctx, const gwc_configuration_list *list,
                           const gwc_bytes *metatypes, uint64_t count, gwc_configuration_sink out,
                           gwc_error *err);
    /* What restore needs to bring the components named by pids back to what they
     * are now, absent ones included. Opaque; secrets in it are encrypted. The host may
     * refuse others to change these components, until the caller restores them,
     * updates its own configuration, or captures again (count 0: nothing); or until
     * there is no instance of its pid any more. It may do so over a restart and for
     * the next instance of the same pid: one that finds nothing to restore when it
     * is activated captures nothing. GWC_E_CONFLICT while another component keeps
     * one of them so. [worker] */
    gwc_status (*capture)(void *ctx, const gwc_str *pids, uint64_t count, gwc_sink out,
                          gwc_error *err);
    /* Merges list into the configurations, creating factory components that do
     * not exist, all in one snapshot. [worker] */
    gwc_status (*apply)(void *ctx, gwc_str key, const gwc_configuration_list *list, gwc_error *err);
    /* Brings back what capture saw. [worker] */
    gwc_status (*restore)(void *ctx, gwc_str key, gwc_bytes undo, gwc_error *err);
} gwc_configuration;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_CONFIGURATION_H */
