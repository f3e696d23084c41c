//! Opening the data directory of a server that does not run.

use std::sync::Arc;

use super::Failure;
use crate::app::App;
use crate::config::SettingsArgs;
use crate::server;
use crate::sources::Sources;

/// Opens an existing data directory. Never makes a new one: a command that looks at a server's data must not start
/// with an empty server because of a mistyped path.
pub(super) async fn open(settings: SettingsArgs) -> Result<Arc<App>, Failure> {
    let config = settings.load()?;
    // Any directory but a server's own would be taken for a first start.
    if !config.data_dir.join("index").is_dir() {
        let shown = config.data_dir.display();
        return Err(Failure::Usage(format!("{shown} is no data directory; name it with --data-dir or --config")));
    }
    server::init_logging(config.log_json, "warn");
    server::harden();
    let started = Box::pin(App::open(config, Sources::system())).await.map_err(|error| Failure::Failed(error.0))?;
    Ok(started.app)
}
