//! What a process has used, from `/proc` (Linux: proc_pid_stat(5), proc_pid_status(5)).

use super::BenchError;

/// CPU time so far and the most memory held at any time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usage {
    /// User and system time in seconds.
    pub(super) cpu_seconds: f64,
    /// `VmHWM` in bytes.
    pub(super) peak_memory_bytes: u64,
}

impl Usage {
    pub(super) fn of(pid: u32) -> Result<Self, BenchError> {
        let read = |name: String| std::fs::read_to_string(&name).map_err(|error| BenchError::File(name, error));
        let (stat, status) = (read(format!("/proc/{pid}/stat"))?, read(format!("/proc/{pid}/status"))?);
        let ticks_per_second = rustix::param::clock_ticks_per_second();
        let unread = || BenchError::Argument(format!("/proc/{pid} is not in the form that Linux documents"));
        let ticks = parse_ticks(&stat).ok_or_else(unread)?;
        Ok(Self {
            cpu_seconds: ticks as f64 / ticks_per_second as f64,
            peak_memory_bytes: parse_peak(&status).ok_or_else(unread)?,
        })
    }

    /// What was used after `earlier`. Peak memory cannot be divided so: it is the process's whole life's.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self { cpu_seconds: self.cpu_seconds - earlier.cpu_seconds, ..self }
    }
}

/// utime + stime. The second field is the program's name in brackets, which may hold blanks and brackets itself.
fn parse_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(ticks()? + ticks()?)
}

fn parse_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 1000 1 2";
        assert_eq!(parse_ticks(stat), Some(300));
        assert_eq!(parse_ticks("42 (cut"), None);
        assert_eq!(parse_peak("Name:\tx\nVmHWM:\t   2048 kB\n"), Some(2 << 20));
    }

    #[test]
    fn this_process_has_used_memory() {
        let usage = Usage::of(std::process::id()).expect("/proc is there");
        assert!(usage.peak_memory_bytes > 0);
    }
}
