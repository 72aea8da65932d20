/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_ENTRY_H
#define GWC_ENTRY_H

/* How a library presents itself: one symbol, one table. */

#include "component.h"
#include "host.h"
#include "status.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One kind of component that the library can make. */
typedef struct gwc_component_info {
    uint32_t struct_size;
    uint32_t reserved;   /* 0 */
    gwc_str factory_pid; /* e.g. gwc.provisioning.ProvisioningService */
    gwc_str description; /* one line */
} gwc_component_info;

/* The library. Immutable; valid until the library is unloaded. */
typedef struct gwc_module {
    uint32_t struct_size;
    uint32_t abi_major; /* GWC_ABI_MAJOR of the library */
    uint32_t abi_minor;
    uint32_t component_size;  /* distance of the elements of components, in bytes */
    uint64_t component_count;
    const gwc_component_info *components;
    gwc_str name;
    gwc_str version;
    gwc_str vendor;
    gwc_str build_date; /* RFC 3339, UTC */
    /* The OSGi metatype descriptor of a factory pid, its texts in locale ("it",
     * "en_US", empty for the default). The XML goes to out. [any-thread] */
    gwc_status (*metatype)(gwc_str factory_pid, gwc_str locale, gwc_sink out, gwc_error *err);
    /* Makes an instance named instance_name (its kura.service.pid) and writes it
     * to *out. host is borrowed for the call; what it points to must live until
     * destroy has returned. The instance is freed with destroy. [control] */
    gwc_status (*create)(gwc_str factory_pid, const gwc_host *host, gwc_str instance_name,
                         gwc_component **out, gwc_error *err);
    /* The functions of the instances. */
    const gwc_component_ops *ops;
} gwc_module;

/*
 * The one C symbol of a library. Returns its module, or NULL if the library does
 * not speak host_abi_major. Does nothing else: no thread, no file, no change of
 * process state. [any-thread]
 */
const gwc_module *gwc_entry(uint32_t host_abi_major);

/* The type of gwc_entry, for dlsym. */
typedef const gwc_module *(*gwc_entry_fn)(uint32_t host_abi_major);

#define GWC_ENTRY_SYMBOL "gwc_entry"

#ifdef __cplusplus
}
#endif

#endif /* GWC_ENTRY_H */
