/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_SYSTEM_H
#define GWC_EXT_SYSTEM_H

/* gwc.system/1, offered by the host: facts about the gateway, by their Kura names. */

#include "../status.h"
#include "../types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_SYSTEM "gwc.system/1"

/* Names beside the host's own: kura.serialNumber, kura.primary.network.interface,
 * kura.model.id, kura.model.name, kura.partNumber, kura.device.name,
 * kura.firmware.version, kura.version, os.name, os.version, os.arch. */
#define GWC_SYSTEM_SERIAL_NUMBER "kura.serialNumber"
#define GWC_SYSTEM_PRIMARY_INTERFACE "kura.primary.network.interface"
/* MAC and IP address of the primary interface; Kura offers them by method only. */
#define GWC_SYSTEM_PRIMARY_MAC "kura.primary.mac"
#define GWC_SYSTEM_PRIMARY_IP "kura.primary.ip"

typedef struct gwc_system {
    uint32_t struct_size;
    uint32_t reserved;
    /* The value of a property. GWC_E_NOT_FOUND while it is not known; a MAC may
     * come late at boot. [worker] */
    gwc_status (*get)(void *ctx, gwc_str name, gwc_sink out, gwc_error *err);
} gwc_system;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_SYSTEM_H */
