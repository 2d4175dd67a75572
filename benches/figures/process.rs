//! Servers as processes of their own, so that their processor time and memory can be told from the load's.

use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::database::Database;

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

    /// Starts a command that says nothing and waits until it listens at an address.
    pub(crate) fn listening(command: &mut Command, address: SocketAddr) -> Server {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let server = Server { child, address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(
                began.elapsed() < STARTS_WITHIN,
                "{command:?} does not listen"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// The service on a database.
    pub(crate) fn longwatch(database: &Database) -> Server {
        Self::start(longwatch(database.home()).args([
            "serve",
            "--database",
            &database.url,
            "--listen",
            "127.0.0.1:0",
            "--public-read",
        ]))
    }

    /// Processor time that it used so far, seconds: user and system.
    pub(crate) fn cpu_s(&self) -> f64 {
        cpu_s(self.child.id()).expect("a process")
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

/// A server that does not listen by then never will.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// `USER_HZ`, which is 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of this machine that nobody listens on.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Processor time that a process used so far, seconds: user and system. None where there is no such process.
pub(crate) fn cpu_s(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The command's name may hold blanks; what follows its bracket does not.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let mut ticks = || -> Option<f64> { fields.next()?.parse().ok() };
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

/// The built binary, in an environment of its own.
pub(crate) fn longwatch(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longwatch"));
    command.env_clear().env("HOME", home).current_dir(home);
    command
}

/// Puts a configuration in force over a server.
pub(crate) fn apply(database: &Database, server: &Server, admin: &str, toml: &str) {
    let file = database.home().join("longwatch.toml");
    std::fs::write(&file, toml).expect("a file");
    let applied = longwatch(database.home())
        .arg("apply")
        .arg(&file)
        .env("LONGWATCH_URL", format!("http://{}", server.address))
        .env("LONGWATCH_TOKEN", admin)
        .env("LONGWATCH_PROJECT", "bench")
        .output()
        .expect("apply");
    assert!(applied.status.success(), "{applied:?}");
}

/// Makes a token on the database itself.
pub(crate) fn token(database: &Database, scope: &str) -> String {
    let made = longwatch(database.home())
        .args(["token", "create", "--project", "bench", "--scope", scope])
        .args(["--database", &database.url])
        .output()
        .expect("a token");
    assert!(made.status.success(), "{made:?}");
    String::from_utf8_lossy(&made.stdout).trim().to_owned()
}
