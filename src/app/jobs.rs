//! Background work of one gateway. Each pass is short, may be cut off anywhere, and finds again what it left.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{App, access_logs, delivery};
use crate::keyring::RotationStep;

/// Time between two looks for unwrapped keys that nobody uses any more.
const WIPE_INTERVAL: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl App {
    /// Starts the jobs; they end with the gateway. Only a serving gateway has them: a command that looks at a stopped
    /// server's data deletes nothing.
    pub fn start_jobs(self: &Arc<Self>) {
        tokio::spawn(run(Arc::downgrade(self)));
        tokio::spawn(wipe(Arc::downgrade(self)));
        tokio::spawn(delivery::run(Arc::downgrade(self), Arc::new(self.notifier.clone())));
        tokio::spawn(delivery::run(Arc::downgrade(self), Arc::new(self.replicator.clone())));
        tokio::spawn(delivery::lengths::run(Arc::downgrade(self)));
        tokio::spawn(access_logs::run(Arc::downgrade(self)));
        tokio::spawn(daily(Arc::downgrade(self)));
    }
}

/// Apart from the passes, which may take long and whose pause is a setting: keys must not stay for that.
async fn wipe(app: Weak<App>) {
    while let Some(running) = app.upgrade() {
        running.keyring.wipe_expired();
        running.objects.sse().wipe_expired();
        if let Err(error) = running.identities.write_uses().await {
            tracing::error!(%error, "last uses of access keys could not be written down");
        }
        drop(running);
        tokio::time::sleep(WIPE_INTERVAL).await;
    }
}

/// What happens to objects with the days: lifecycle rules, inventories. Apart from the passes, which must not wait for a
/// bucket of many objects.
async fn daily(app: Weak<App>) {
    if let Some(days) = app.upgrade().map(|app| app.config.lifecycle_days_ahead).filter(|days| *days > 0) {
        tracing::warn!(days, "lifecycle_days_ahead is for tests: lifecycle rules delete objects before their time");
    }
    while let Some(running) = app.upgrade() {
        daily_pass(&running).await;
        let pause = running.config.lifecycle_interval;
        drop(running);
        tokio::time::sleep(pause).await;
    }
}

async fn daily_pass(app: &App) {
    let ahead = DAY.saturating_mul(app.config.lifecycle_days_ahead);
    match app.objects.apply_lifecycles(app.sources.now().plus(ahead)).await {
        Ok(Some(done)) if done.acted() || done.failed > 0 => tracing::info!(?done, "applied lifecycle rules"),
        Ok(_) => {}
        Err(error) => tracing::error!(?error, "lifecycle rules could not be applied; it is tried again"),
    }
    if let Err(error) = super::inventory::pass(app, app.sources.now().plus(ahead)).await {
        tracing::error!(?error, "inventories could not be made; it is tried again");
    }
}

async fn run(app: Weak<App>) {
    loop {
        let Some(running) = app.upgrade() else { return };
        pass(&running).await;
        let pause = running.config.sweep_interval;
        drop(running);
        tokio::time::sleep(pause).await;
    }
}

async fn pass(app: &App) {
    // The data directory is locked: whatever blob was announced and is not being written here is abandoned.
    match app.objects.sweep(true).await {
        Ok(swept) if swept.entries > 0 => tracing::info!(blobs = swept.blobs, entries = swept.entries, "swept"),
        Ok(_) => {}
        Err(error) => tracing::error!(?error, "the sweeper failed; it tries again"),
    }
    match app.keyring.continue_rotation().await {
        Ok(RotationStep::None | RotationStep::Rewrapped) => {}
        Ok(RotationStep::Retired) => tracing::info!("the older generation of the store key is gone"),
        Err(error) => tracing::error!(%error, "the rotation of the store key could not go on; it is tried again"),
    }
    if let Err(error) = app.objects.reopen_buckets().await {
        tracing::error!(?error, "buckets whose deletion was cut off could not be looked for; it is tried again");
    }
    match app.keyring.destroy_due_keys().await {
        Ok(0) => {}
        Ok(keys) => tracing::info!(keys, "destroyed the material of keys whose waiting period is over"),
        Err(error) => tracing::error!(?error, "keys that are due could not be destroyed; it is tried again"),
    }
    match app.keyring.rotate_due_keys().await {
        Ok(0) => {}
        Ok(keys) => tracing::info!(keys, "rotated the keys that were due"),
        Err(error) => tracing::error!(?error, "keys that are due could not be rotated; it is tried again"),
    }
    match app.keyring.finish_connections().await {
        Ok(0) => {}
        Ok(stores) => tracing::info!(stores, "took up connecting custom key stores"),
        Err(error) => tracing::error!(?error, "custom key stores could not be connected; it is tried again"),
    }
    match app.keyring.expire_due_material().await {
        Ok(0) => {}
        Ok(keys) => tracing::info!(keys, "deleted imported key material that expired"),
        Err(error) => tracing::error!(?error, "expired key material could not be deleted; it is tried again"),
    }
}
