/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_IDENTITY_H
#define GWC_EXT_IDENTITY_H

/* gwc.identity/1, offered by the component: the identity sheet, before any network. */

#include "../component.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_IDENTITY "gwc.identity/1"

typedef struct gwc_identity {
    uint32_t struct_size;
    uint32_t reserved;
    /* JSON: client_id, username, serial_number, mac_address, model, and where
     * each comes from. Only while active. [any-thread] */
    gwc_status (*get)(gwc_component *self, gwc_sink out, gwc_error *err);
} gwc_identity;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_IDENTITY_H */
