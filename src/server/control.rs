//! The socket through which commands on this machine reach a running server: see `app/control.rs` for what is said.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::{getuid, umask};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::app::Door;
use crate::app::control::{Answer, Question, SOCKET, ask, read_question, write_answer};
use crate::keyring::RootChange;

/// Time for a question to arrive whole; it comes from this machine.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);

/// The listening end. Its socket is removed when it is dropped.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    serving: JoinHandle<()>,
}

impl Control {
    /// Listens in `data_dir`, which this process holds the lock of: a socket that is there is a dead process's.
    pub fn listen(data_dir: &Path, door: &Arc<Door>) -> io::Result<Self> {
        let path = data_dir.join(SOCKET);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // The directory may be one that the operator made and others can enter: the socket is never theirs to open.
        let before = umask(Mode::RWXG | Mode::RWXO);
        let bound = through_directory(data_dir, |short| UnixListener::bind(short));
        umask(before);
        let listener = bound?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let serving = tokio::spawn(serve(listener, Arc::clone(door)));
        Ok(Self { path, serving })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.serving.abort();
        // Left behind it would only be found dead.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve(listener: UnixListener, door: Arc<Door>) {
    let mut exchanges = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = exchanges.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(exchanges.spawn(exchange(stream, Arc::clone(&door)))),
                Err(error) => {
                    tracing::warn!(%error, "a connection to the control socket could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
}

async fn exchange(mut stream: UnixStream, door: Arc<Door>) {
    let Ok(peer) = stream.peer_cred() else { return };
    if ![0, getuid().as_raw()].contains(&peer.uid()) {
        return;
    }
    let by = RootChange { uid: peer.uid() };
    let answer = match timeout(QUESTION_TIMEOUT, read_question(&mut stream)).await {
        Ok(Ok(Some(question))) => {
            let unseals = matches!(question, Question::Unseal(_));
            let answer = door.answer(question, by).await;
            if let (true, Err(refusal)) = (unseals, &answer) {
                // The trail is sealed too: this is the only trace of the attempt.
                tracing::warn!(uid = by.uid, refusal, "an attempt to unseal the store failed");
            }
            answer
        }
        Ok(Ok(None)) => Err("the server does not know this command: are both of one version?".to_owned()),
        Ok(Err(_)) | Err(_) => return,
    };
    // Whoever asked may be gone; what was done stays done.
    let _ = write_answer(&mut stream, &answer).await;
}

/// Asks a running server.
#[derive(Debug, Clone)]
pub struct ControlClient {
    data_dir: PathBuf,
}

impl ControlClient {
    /// A client of the server that runs on `data_dir`; `None` if none does.
    pub async fn connect(data_dir: &Path) -> Option<Self> {
        let client = Self { data_dir: data_dir.to_owned() };
        client.stream().await.is_ok().then_some(client)
    }

    /// Asks. `Err` of the outer result: the server went away.
    pub async fn ask(&self, question: &Question) -> io::Result<Answer> {
        ask(&mut self.stream().await?, question).await
    }

    async fn stream(&self) -> io::Result<UnixStream> {
        let directory = File::open(&self.data_dir)?;
        UnixStream::connect(short_path(&directory)).await
    }
}

/// A socket's address has room for 107 bytes, a path may have thousands: the directory is named by its descriptor.
fn through_directory<T>(directory: &Path, bind: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let opened = File::open(directory)?;
    bind(&short_path(&opened))
}

fn short_path(directory: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd()))
}
