/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_ACTION_H
#define GWC_EXT_ACTION_H

/* gwc.action/1, offered by the component: what a person or host may ask of it.
 * An action that makes no sense now is GWC_E_STATE, and err says why. */

#include "../component.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_ACTION "gwc.action/1"

typedef struct gwc_action {
    uint32_t struct_size;
    uint32_t reserved;
    /* Ends the pause and starts the next attempt. [any-thread] */
    gwc_status (*retry_now)(gwc_component *self, gwc_error *err);
    /* Aborts the provisioning, rolls back, and sets enabled=false. [any-thread] */
    gwc_status (*cancel)(gwc_component *self, gwc_error *err);
    /* Sets enabled=true and provisioned=false. [any-thread] */
    gwc_status (*reprovision)(gwc_component *self, gwc_error *err);
    /* The clock stepped, the network came up, a MAC appeared: check again now.
     * Never refused. [any-thread] */
    gwc_status (*system_changed)(gwc_component *self, gwc_error *err);
} gwc_action;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_ACTION_H */
