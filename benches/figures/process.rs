//! Servers as processes of their own, so that their processor time and memory can be told from the load's.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server that listens; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a command that says `listening on http://…` and waits for that line.
    pub(crate) fn start(command: &mut Command) -> Server {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("a line");
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.and_then(|address| address.trim_end_matches('/').parse().ok());
        Server {
            child,
            address: address.unwrap_or_else(|| panic!("the server said {line:?}")),
        }
    }

    /// The service on a database.
    pub(crate) fn longwatch(home: &Path, database: &str) -> Server {
        Self::start(longwatch(home).args([
            "serve",
            "--database",
            database,
            "--listen",
            "127.0.0.1:0",
            "--public-read",
        ]))
    }

    /// Processor time that it used so far, seconds: user and system.
    pub(crate) fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.expect("a process");
        // The command's name may hold blanks; what follows its bracket does not.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |index: usize| -> f64 { fields[index].parse().expect("ticks") };
        (ticks(11) + ticks(12)) / TICKS_PER_SECOND
    }

    /// The most memory that it had resident so far, MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("a process");
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        kib.expect("a peak") / 1024.0
    }
}

/// `USER_HZ`, which is 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The built binary, in an environment of its own.
pub(crate) fn longwatch(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longwatch"));
    command.env_clear().env("HOME", home).current_dir(home);
    command
}

/// Makes a token on the database itself.
pub(crate) fn token(home: &Path, database: &str, scope: &str) -> String {
    let made = longwatch(home)
        .args(["token", "create", "--project", "bench", "--scope", scope])
        .args(["--database", database])
        .output()
        .expect("a token");
    assert!(made.status.success(), "{made:?}");
    String::from_utf8_lossy(&made.stdout).trim().to_owned()
}
