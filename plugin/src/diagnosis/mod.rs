//! What can go wrong, in one table: stable codes, each with its class, its cause and its remedy
//! (`table`), and the [`Fault`] that carries one of them with the facts of the case.
//!
//! Nothing is decided or reported here: the provisioner decides by [`Code::retry`], the status
//! document shows [`Fault::document`], the replies to the platform carry
//! [`Fault::response_code`], the C boundary copies [`Code::as_str`].
//!
//! Every module of the component ends its own errors in a `Fault`; `docs/errors.md` is generated
//! by [`reference()`].

mod code;
mod fault;
mod platform;
mod reference;
mod table;

pub use code::{Class, RetryPolicy, UnknownCode};
pub use fault::{one_line_within, Fault, FaultDocument, PlatformWords, MESSAGE_LIMIT};
pub use reference::reference;
pub use table::Code;
