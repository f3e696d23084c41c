//! How far a run came, in a file.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::listing::Cursor;
use super::progress::Counts;
use crate::cli::Failure;

/// Longest file that is read, in bytes: a key, and some counts and reasons.
const STATE_MAX_BYTES: u64 = 1 << 20;

/// What a run does: the state of another can't be gone on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) place: String,
    pub(super) target: String,
    pub(super) from: Vec<String>,
    pub(super) all_versions: bool,
    pub(super) copy: bool,
    pub(super) dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    job: Job,
    after: Option<Cursor>,
    counts: Counts,
}

/// The file and what it says.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    state: State,
}

impl StateFile {
    /// What is noted in the file of this job, or nothing yet.
    pub(super) fn open(path: PathBuf, job: Job) -> Result<Self, Failure> {
        let failed = |text: &str| Failure::Failed(format!("{}: {text}", path.display()));
        let text = match read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let state = State { job, after: None, counts: Counts::default() };
                return Ok(Self { path, state });
            }
            Err(error) => return Err(failed(&error.to_string())),
        };
        let state: State =
            serde_json::from_str(&text).map_err(|error| failed(&format!("this is no state of a run: {error}")))?;
        if state.job != job {
            return Err(Failure::Usage(format!(
                "{} is the state of another run ({} to {}): name another file, or delete it",
                path.display(),
                state.job.place,
                state.job.target
            )));
        }
        Ok(Self { path, state })
    }

    pub(super) fn after(&self) -> Option<Cursor> {
        self.state.after.clone()
    }

    pub(super) fn counts(&self) -> Counts {
        self.state.counts.clone()
    }

    /// Notes that all up to `after` is done. The old file or the new one is there, whatever happens meanwhile.
    pub(super) fn note(&mut self, after: Cursor, counts: &Counts) -> Result<(), Failure> {
        self.state = State { after: Some(after), counts: counts.clone(), job: self.state.job.clone() };
        let written = serde_json::to_string(&self.state).map_err(std::io::Error::other).and_then(|text| {
            let beside = self.path.with_extension("new");
            let mut file = std::fs::File::create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.path)
        });
        written.map_err(|error| Failure::Failed(format!("{}: {error}", self.path.display())))
    }

    /// The run is at its end.
    pub(super) fn remove(self) -> Result<(), Failure> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::Failed(format!("{}: {error}", self.path.display())))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(STATE_MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(place: &str) -> Job {
        let (place, target) = (place.to_owned(), "aws:kms arn".to_owned());
        Job { place, target, from: vec![], all_versions: true, copy: false, dry_run: false }
    }

    #[test]
    fn what_is_noted_is_gone_on_with_by_the_same_job_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.json");
        let mut file = StateFile::open(path.clone(), job("s3://a")).unwrap();
        assert_eq!((file.after(), path.exists()), (None, false));
        let cursor: Cursor = serde_json::from_str(r#"{"key": "k\u0001", "version": "v"}"#).unwrap();
        file.note(cursor.clone(), &Counts::default()).unwrap();
        assert_eq!(StateFile::open(path.clone(), job("s3://a")).unwrap().after(), Some(cursor));
        assert!(matches!(StateFile::open(path.clone(), job("s3://b")), Err(Failure::Usage(_))));
        StateFile::open(path.clone(), job("s3://a")).unwrap().remove().unwrap();
        assert!(!path.exists());
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(StateFile::open(path, job("s3://a")), Err(Failure::Failed(_))));
    }
}
