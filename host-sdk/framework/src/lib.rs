//! What a host of gateway components needs: it loads them, keeps their configuration, keys and
//! secrets, tells them about the machine, and runs the cloud connections. It knows nothing about
//! any one component; the sample host `gateway` and hosts of others call it.

pub mod configuration;
pub mod crypto;
pub mod keystore;
pub mod metatype;
pub mod system;
