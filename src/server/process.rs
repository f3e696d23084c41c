//! What the process asks of the system, so that what it holds in memory stays there.

use std::io;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

/// Turns core dumps and tracing by others off: both would show secrets. To be called before the process has any.
///
/// The limit alone would not do: the kernel does not apply it where dumps are piped to a program (core(5)). And a
/// process that is not dumpable can be read by nobody but root, another process of the same user included.
pub fn harden() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), ..getrlimit(Resource::Core) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// What a server asks for once it knows its settings: that [`harden`] stays in force, or with `allow_dumps` that it
/// does not; memory that is never written to swap; and as many open files (connections and blobs) as the system
/// permits. What the system refuses is logged, not fatal.
pub fn prepare_process(allow_dumps: bool) {
    if let Err(error) = settle_dumps(allow_dumps) {
        tracing::warn!(%error, allow_dumps, "the system does not let core dumps be set so");
    } else if allow_dumps {
        tracing::warn!("allow_dumps is on: core dumps and debuggers show keys");
    }
    match lock_memory() {
        Ok(true) => {}
        Ok(false) => tracing::info!(
            "memory is not locked, since the limit of locked memory is not unlimited (LimitMEMLOCK=infinity in a systemd \
             unit): swap, where there is any, has to be encrypted"
        ),
        Err(error) => tracing::warn!(%error, "memory could not be locked: swap has to be encrypted"),
    }
    let files = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

fn settle_dumps(allowed: bool) -> io::Result<()> {
    if allowed {
        let limit = getrlimit(Resource::Core);
        setrlimit(Resource::Core, Rlimit { current: limit.maximum, ..limit })?;
        return Ok(set_dumpable_behavior(DumpableBehavior::Dumpable)?);
    }
    // Now for good: without privileges nobody raises a hard limit again.
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}

/// Keeps all pages out of swap, each from its first use on. Whether it was done: it is all or nothing, since under a
/// limit that is reached later allocations would fail, in the middle of anything.
fn lock_memory() -> io::Result<bool> {
    let unlimited = getrlimit(Resource::Memlock).current.is_none()
        || capabilities(None)?.effective.contains(CapabilitySet::IPC_LOCK);
    if unlimited {
        mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?;
    }
    Ok(unlimited)
}
