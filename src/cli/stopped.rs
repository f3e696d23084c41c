//! Opening the data directory of a server that does not run.

use std::sync::Arc;

use super::Failure;
use super::roots::bring_secret;
use super::secret_input::SecretInput;
use crate::app::{App, Prepared, StoreUse};
use crate::config::{Config, SettingsArgs};
use crate::server;
use crate::sources::Sources;

/// Opens an existing data directory, asking for a passphrase or shares where no other root opens it.
pub(super) async fn open(settings: SettingsArgs, store_use: StoreUse) -> Result<Arc<App>, Failure> {
    let config = settings.load()?;
    require_data_dir(&config)?;
    server::init_logging(config.log_json, "warn");
    let prepared = Box::pin(Prepared::open(config, Sources::system(), store_use)).await?;
    let store_key = match prepared.unlock().await? {
        Ok(store_key) => store_key,
        Err(reasons) => {
            for reason in reasons {
                eprintln!("strongroom: {reason}");
            }
            let roots = prepared.roots().await?.map(|roots| roots.list()).unwrap_or_default();
            let secret = bring_secret(&roots, &SecretInput::default(), None, false)?;
            prepared.unlock_with(&secret).await?
        }
    };
    let blobs = prepared.open_store().await?;
    Ok(Box::pin(prepared.start(store_key, blobs)).await?.app)
}

/// A command that looks at a server's data must not start with an empty server because of a mistyped path: any
/// directory but a server's own would be taken for a first start.
pub(super) fn require_data_dir(config: &Config) -> Result<(), Failure> {
    if config.data_dir.join("index").is_dir() {
        return Ok(());
    }
    let shown = config.data_dir.display();
    Err(Failure::Usage(format!("{shown} is no data directory; name it with --data-dir or --config")))
}
