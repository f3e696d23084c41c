//! Arguments → Config → App → run.

use std::process::ExitCode;

use strongroom::cli;

/// Threads for reading, writing and syncing files. More would not make a disk faster, and each takes memory.
const BLOCKING_THREADS_MAX: usize = 32;

fn main() -> ExitCode {
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
