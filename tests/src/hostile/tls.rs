//! TLS spoken badly, by hand: what no TLS library can be made to say.
//!
//! None of it is a handshake. A client that is as strict as it must be leaves at the first message.

use super::script::{Move, Script};

/// The last bytes of the random of a server that can do TLS 1.3 and was made to do 1.2 (RFC 8446, 4.1.3).
const DOWNGRADED: [u8; 8] = *b"DOWNGRD\x01";

/// `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`, which every client of TLS 1.2 offers.
const ECDHE_ECDSA_AES128: [u8; 2] = [0xC0, 0x2B];
/// `TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA`, of the time of TLS 1.1.
const ECDHE_ECDSA_AES128_CBC: [u8; 2] = [0xC0, 0x09];

/// Chooses TLS 1.1.
pub(super) fn version_1_1() -> Script {
    greeting(server_hello([3, 2], [7; 8], ECDHE_ECDSA_AES128_CBC))
}

/// Chooses TLS 1.2, and says that it was made to.
pub(super) fn downgraded() -> Script {
    greeting(server_hello([3, 3], DOWNGRADED, ECDHE_ECDSA_AES128))
}

/// The same without saying so: a strict client waits for the certificate, which never comes. What is refused in the
/// one before is the downgrade, and nothing else.
pub(super) fn not_downgraded() -> Script {
    greeting(server_hello([3, 3], [7; 8], ECDHE_ECDSA_AES128))
}

/// Half of a greeting, and the end.
pub(super) fn truncated() -> Script {
    let hello = server_hello([3, 3], [7; 8], ECDHE_ECDSA_AES128);
    Script::AfterHello(vec![Move::send(&hello[..hello.len() / 2])])
}

/// A fatal alert: `protocol_version`.
pub(super) fn no_version_in_common() -> Script {
    Script::AfterHello(vec![Move::send([21, 3, 1, 0, 2, 2, 70])])
}

fn greeting(hello: Vec<u8>) -> Script {
    Script::AfterHello(vec![Move::Send(hello), Move::Hold])
}

/// One record with one ServerHello, whose only extensions are those that RFC 5746 and RFC 7627 want.
fn server_hello(version: [u8; 2], end_of_random: [u8; 8], cipher: [u8; 2]) -> Vec<u8> {
    let extensions = [&[0xFF, 0x01, 0, 1, 0][..], &[0, 0x17, 0, 0]].concat();
    let mut hello = Vec::from(version);
    hello.extend([9; 24]);
    hello.extend(end_of_random);
    hello.push(0); // no session
    hello.extend(cipher);
    hello.push(0); // no compression
    hello.extend((extensions.len() as u16).to_be_bytes());
    hello.extend(extensions);
    let length = hello.len() as u16;
    let mut record = vec![22, version[0], version[1]];
    record.extend((length + 4).to_be_bytes());
    record.extend([2, 0]);
    record.extend(length.to_be_bytes());
    record.extend(hello);
    record
}
