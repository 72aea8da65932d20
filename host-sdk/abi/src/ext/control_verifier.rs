//! gwc.control-verifier/1, offered by the component: verifies signed control messages for the
//! host, after the provisioning. Fail-closed.

use abi_stable::StableAbi;

use crate::component::GwcComponent;
use crate::status::{GwcError, GwcStatus};
use crate::types::{GwcBytes, GwcStr};

/// The id of the extension.
pub const EXT_CONTROL_VERIFIER: &str = "gwc.control-verifier/1";

/// The verifier. Owned by the module of the component.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcControlVerifier {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// GWC_OK if the payload (a KuraPayload as received) is signed by a trusted device-
    /// management certificate for this account, client-id and application topic
    /// ("CONF-V1/PUT/configurations"), fresh and not seen before. Else GWC_E_DENIED with the
    /// code signature.*, clock.implausible, protocol.malformed or storage.*. Every other status,
    /// too, means that nothing is verified: GWC_E_STATE while the instance is not active,
    /// GWC_E_BUSY if it does not answer within 5 s. Who may sign is looked up in the host's
    /// DMKeystore at each call, on the component's thread. GWC_OK is said of a message once, over
    /// restarts too: it is written to the component's folder (gwc.storage/1) before the call
    /// returns, which waits for the disk. `[any-thread]`
    pub verify: Option<
        unsafe extern "C" fn(
            this: *mut GwcComponent,
            account: GwcStr,
            client_id: GwcStr,
            application_topic: GwcStr,
            payload: GwcBytes,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
}
