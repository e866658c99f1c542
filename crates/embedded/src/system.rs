//! What the system gives: free ports and random bytes.

use std::{
    fs::File,
    io::Read,
    net::{Ipv4Addr, TcpListener},
};

use crate::error::EmbeddedError;

/// Random bytes in a password.
const PASSWORD_BYTES: usize = 24;

/// A port of the loopback address that is free at this moment.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> Result<u16, EmbeddedError> {
    let bound =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    Ok(bound.map_err(EmbeddedError::file("open a port on", "127.0.0.1"))?.port())
}

/// A random password of letters and digits.
///
/// # Errors
/// When the system gives no random bytes.
pub fn new_password() -> Result<String, EmbeddedError> {
    random_hex(PASSWORD_BYTES)
}

/// `bytes` random bytes, in hexadecimal.
pub(crate) fn random_hex(bytes: usize) -> Result<String, EmbeddedError> {
    let mut buffer = vec![0; bytes];
    let filled = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut buffer));
    filled.map_err(EmbeddedError::file("read", "/dev/urandom"))?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}
