//! What packages leave on the disk.

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;

use super::gateway::{count, Gateway};
use crate::diagnosis::Code;

#[test]
fn the_archive_of_a_refused_package_is_removed_at_once_and_others_stay() {
    let gateway = Gateway::new();
    let mut engine = gateway.engine();
    count(&mut engine, 1, "t");
    let folder = engine.staging_folder("t").unwrap();
    let refused = CallError::new(status::E_INVALID, "", "it is no archive");
    // Too many metatypes are refused here, not by the host.
    let heavy = vec![vec![b' '; 600 << 10]];
    let cases = [
        (Ok(Vec::new()), None),
        (Err(refused), Some(Code::PackageFailed)),
        (Ok(heavy), Some(Code::ProtocolTooLarge)),
    ];
    for (n, (answer, code)) in cases.into_iter().enumerate() {
        let archive = folder.join(format!("{n}.package"));
        std::fs::write(&archive, "archive").unwrap();
        *gateway.package.lock().unwrap() = answer;
        let path = archive.to_str().unwrap();
        let result = engine.stage_package(&format!("p{n}"), "1", path);
        assert_eq!(result.err().map(|fault| fault.code), code, "{n}");
        assert_eq!(archive.exists(), code.is_none(), "{n}");
    }
}
