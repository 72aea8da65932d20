//! The ProvisioningService: makes a gateway a configured, trusted member of a cloud account
//! without anybody touching it.
//!
//! | module | question |
//! |---|---|
//! | [`abi`] | how does a host in any language load and drive it? |
//! | [`component`] | what happens at activate, update, deactivate? |
//! | [`settings`] | what do the twelve parameters say? |
//! | [`provisioner`] | when to provision, and what to do next? (pure) |
//! | [`protocol`] | what travels between device and platform? (pure) |
//! | [`worker`] | who carries it out? (the one thread) |
//! | [`trust`] | whom to believe? |
//! | [`transaction`] | how is a gateway never left half-provisioned? |
//! | [`diagnosis`], [`status`] | what went wrong, and what to do? |
//! | [`lines`] | how is a record kept so that damage shows? |
//! | [`host`] | what is asked of the host? |
//! | [`metatype`] | the form a person fills in |

#[allow(unsafe_code)]
pub mod abi;
pub mod build;
pub mod component;
pub mod diagnosis;
pub mod host;
pub mod lines;
pub mod metatype;
pub mod protocol;
pub mod provisioner;
pub mod settings;
pub mod status;
pub mod time;
pub mod transaction;
pub mod trust;
pub mod worker;
