//! Arguments → Config → App → run.

use std::alloc::System;
use std::process::ExitCode;

use strongroom::{cli, server};
use zeroizing_alloc::ZeroAlloc;

/// Freed memory is wiped. Our own types wipe themselves; this is for the copies of requests and answers in the buffers
/// of hyper, rustls and the standard library, which pass through a heap that is used again for anything.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

/// Threads for reading, writing and syncing files. More would not make a disk faster, and each takes memory.
const BLOCKING_THREADS_MAX: usize = 32;

fn main() -> ExitCode {
    if let Err(error) = server::harden() {
        eprintln!("strongroom: warning: core dumps could not be turned off: {error}");
    }
    let arguments = cli::parse();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    match runtime.enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build() {
        Ok(runtime) => runtime.block_on(cli::run(arguments)),
        Err(error) => {
            eprintln!("strongroom: no threads to run on: {error}");
            ExitCode::FAILURE
        }
    }
}
