//! A PostgreSQL cluster of a test's own, which it may crash.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub(super) struct Cluster {
    /// The address of its database.
    pub(super) url: String,
    directory: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Cluster {
    pub(super) fn start() -> Cluster {
        let directory = tempfile::tempdir().unwrap();
        if is_root() {
            let of = |flag| {
                let output = Command::new("id").args([flag, USER]).output().unwrap();
                let id = String::from_utf8(output.stdout).unwrap();
                id.trim().parse().ok()
            };
            chown(directory.path(), of("-u"), of("-g")).unwrap();
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let cluster = Cluster {
            url: format!("postgres://longwatch@127.0.0.1:{port}/postgres"),
            directory,
            programs: programs(),
            port,
        };
        cluster.run(
            "initdb",
            &["--username=longwatch", "--auth=trust", "--encoding=UTF8"],
        );
        cluster.go();
        cluster
    }

    /// Starts it, after a crash too.
    pub(super) fn go(&self) {
        let home = self.directory.path().display();
        let options = format!("-p {} -k {home} -c listen_addresses=127.0.0.1", self.port);
        let log = format!("{home}/log");
        self.run("pg_ctl", &["-o", &options, "-l", &log, "-w", "start"]);
    }

    /// Ends all of its processes without a checkpoint.
    pub(super) fn crash(&self) {
        self.run("pg_ctl", &["-m", "immediate", "-w", "stop"]);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        assert!(self.status(program, arguments), "{program} {arguments:?}");
    }

    /// PostgreSQL refuses to run as root.
    fn status(&self, program: &str, arguments: &[&str]) -> bool {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", USER, "--regid", USER, "--clear-groups"])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        let status = command
            .arg("-D")
            .arg(self.directory.path().join("cluster"))
            .args(arguments)
            .current_dir("/")
            .stdout(Stdio::null())
            .status();
        status.unwrap().success()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.status("pg_ctl", &["-m", "immediate", "-w", "stop"]);
    }
}

/// Who runs it where root runs the tests.
const USER: &str = "postgres";

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Where the newest server's programs are.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(version);
    if let Some(newest) = newest {
        return newest.join("bin");
    }
    let path = std::env::var_os("PATH").unwrap();
    let mut folders = std::env::split_paths(&path);
    let found = folders.find(|folder| folder.join("initdb").exists());
    found.expect("PostgreSQL is missing: run the tests with tests/run")
}
