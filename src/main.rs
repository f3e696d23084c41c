//! Arguments → Config → App → run.

use std::process::ExitCode;

use strongroom::cli;

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
