//! What of this process's memory others may see: nothing.
//!
//! It holds passwords and private keys, and a core dump is a file that people send to support. The
//! component does not do this: the state of a process belongs to its host.

use rustix::process::{
    getrlimit, set_dumpable_behavior, setrlimit, DumpableBehavior, Resource, Rlimit,
};

/// No core dump of this process, and no debugger of the same user on it (`prctl(2)`,
/// PR_SET_DUMPABLE). Where the system refuses, it is logged and the process goes on.
pub fn close() {
    let no_core = Rlimit {
        current: Some(0),
        maximum: getrlimit(Resource::Core).maximum,
    };
    for refused in [
        set_dumpable_behavior(DumpableBehavior::NotDumpable),
        setrlimit(Resource::Core, no_core),
    ]
    .into_iter()
    .filter_map(Result::err)
    {
        log::warn!("core dumps of this process cannot be switched off: {refused}");
    }
}
