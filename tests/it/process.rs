//! The real binary as processes: servers that a test may kill, and commands run beside them.

use std::fs::File;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::ground::PROJECT;

/// The binary with arguments, in an environment of its own: no variable of whoever runs the tests reaches it, but where
/// programs are found.
pub(crate) fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longwatch"));
    command
        .args(arguments)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(home: &Path, arguments: &[&str]) -> Output {
    command(home, arguments).output().unwrap()
}

/// Makes a token with the command line, on the database itself.
pub(crate) fn token(home: &Path, database: &str, project: &str, scope: &str) -> String {
    let output = run(
        home,
        &[
            "token",
            "create",
            "--database",
            database,
            "--project",
            project,
            "--scope",
            scope,
        ],
    );
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A serving process; killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// Its address, without a slash at the end.
    pub(crate) url: String,
}

impl Process {
    /// Starts `serve` on a database and waits until it listens. Its log goes to `serve.log` under `home`, behind what
    /// earlier ones wrote.
    pub(crate) fn serve(home: &Path, database: &str, arguments: &[&str]) -> Process {
        Self::serve_with(home, database, arguments, &[])
    }

    /// The same with variables in its environment.
    pub(crate) fn serve_with(
        home: &Path,
        database: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Process {
        Self::try_serve(home, database, arguments, environment)
            .unwrap_or_else(|why| panic!("{why}"))
    }

    /// The same for a server that may fail to start: what it said then.
    pub(crate) fn try_serve(
        home: &Path,
        database: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Process, String> {
        let listening = ["serve", "--database", database, "--listen", "127.0.0.1:0"];
        let mut serve = command(home, &listening);
        serve.args(arguments).envs(environment.iter().copied());
        Self::spawn(home, serve)
    }

    /// Starts `serve` on a socket that is passed as systemd would pass it.
    pub(crate) fn serve_on(home: &Path, database: &str, socket: &TcpListener) -> Process {
        // A shell puts the socket in its place and knows the process's id.
        const PASS: &str = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"";
        let serve = command(home, &["serve", "--database", database]);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", PASS])
            .arg(serve.get_program())
            .args(serve.get_args())
            .env_clear()
            .envs(
                serve
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir(home)
            .stdin(OwnedFd::from(socket.try_clone().unwrap()));
        Self::spawn(home, shell).unwrap_or_else(|why| panic!("{why}"))
    }

    fn spawn(home: &Path, mut serve: Command) -> Result<Process, String> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(home.join("serve.log"))
            .unwrap();
        let mut child = serve.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            let status = child.wait().unwrap();
            let log = std::fs::read_to_string(home.join("serve.log")).unwrap();
            return Err(format!(
                "the server said {line:?}, ended with {status} and logged {log}"
            ));
        };
        Ok(Process {
            url: url.to_owned(),
            child,
        })
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The most memory that it ever had, as the system counts it.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// The memory that it has now.
    pub(crate) fn memory_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// A line of what the system says of it.
    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// How many files and connections it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        open.unwrap().count()
    }

    /// Ends it as a power cut would: SIGKILL, by its own id.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Asks it to stop, as systemd does: SIGTERM.
    pub(crate) fn ask_to_stop(&self) {
        self.signal("-TERM");
    }

    /// Lets it stand still wherever it is: SIGSTOP.
    pub(crate) fn stand_still(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on: SIGCONT.
    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it has stopped in order.
    pub(crate) fn stopped(mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status:?}");
    }

    fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A request to the project's API.
    pub(crate) fn api(
        &self,
        client: &Client,
        token: &str,
        method: Method,
        path: &str,
    ) -> RequestBuilder {
        let url = format!("{}/api/v1/projects/{PROJECT}/{path}", self.url);
        client.request(method, url).bearer_auth(token)
    }

    /// A document of the project's API.
    pub(crate) async fn get(&self, client: &Client, token: &str, path: &str) -> Value {
        let answer = self
            .api(client, token, Method::GET, path)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, where the test killed it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks until something holds; fails after `limit`.
pub(crate) async fn within<T, F>(limit: Duration, what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
