/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_CONTROL_VERIFIER_H
#define GWC_EXT_CONTROL_VERIFIER_H

/* gwc.control-verifier/1, offered by the component: verifies signed control
 * messages for the host, after the provisioning. Fail-closed. */

#include "../component.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_CONTROL_VERIFIER "gwc.control-verifier/1"

typedef struct gwc_control_verifier {
    uint32_t struct_size;
    uint32_t reserved;
    /* GWC_OK if the payload (a KuraPayload as received) is signed by a trusted
     * device-management certificate for this account, client-id and application
     * topic ("CONF-V1/PUT/configurations"), fresh and not seen before. Else
     * GWC_E_DENIED with the code signature.*, clock.implausible, protocol.malformed
     * or storage.*. Every other status, too, means that nothing is verified:
     * GWC_E_STATE while the instance is not active, GWC_E_BUSY if it does not
     * answer within 5 s. Who may sign is looked up in the host's DMKeystore at
     * each call, on the component's thread. GWC_OK is said of a message once, over
     * restarts too: it is written to the component's folder (gwc.storage/1) before
     * the call returns, which waits for the disk. [any-thread] */
    gwc_status (*verify)(gwc_component *self, gwc_str account, gwc_str client_id,
                         gwc_str application_topic, gwc_bytes payload, gwc_error *err);
} gwc_control_verifier;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_CONTROL_VERIFIER_H */
