//! Arguments → Config → App → run.

use std::process::ExitCode;

use strongroom::cli;

/// Buffers of 512 KiB come and go with every piece of a body. The C library's allocator hands such pages back to the
/// kernel and faults them in again each time: a third of the CPU time of a large PUT.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::parse();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::run(arguments)),
        Err(error) => {
            eprintln!("strongroom: no threads to run on: {error}");
            ExitCode::FAILURE
        }
    }
}
