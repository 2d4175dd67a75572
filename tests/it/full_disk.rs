//! The disk is full: what can't be stored is refused, what was acknowledged stays, everything that is there can be read,
//! and once there is room again the service works again, by itself.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use tempfile::TempDir;

use crate::endurance::Endurance;
use crate::process::{Process, token, within};
use crate::writers::Writing;

/// What the database has at first, and once it has grown: enough for SQLite's log, which is put back into the file when it
/// is 16 MiB long.
const MEBIBYTES: usize = 3;
const GROWN_MEBIBYTES: usize = 48;
/// How often it is full in the short form.
const FULL_TIMES: usize = 2;
const WRITERS: usize = 4;

/// A small file system of its own in memory; gone when dropped.
struct Disk {
    directory: TempDir,
}

impl Disk {
    fn of(mebibytes: usize) -> Disk {
        let directory = TempDir::new().unwrap();
        let disk = Disk { directory };
        let output = disk.mount(&size(mebibytes));
        assert!(
            output.status.success(),
            "a small file system can't be mounted, as this test needs; run it as root, or alone with \
             `unshare --map-root-user --mount cargo test --test it full_disk`: {output:?}"
        );
        disk
    }

    fn grows_to(&self, mebibytes: usize) {
        let output = self.mount(&format!("remount,{}", size(mebibytes)));
        assert!(output.status.success(), "{output:?}");
    }

    /// Fills it up with a file of something else.
    fn fills_up(&self) {
        let mut ballast = File::create(self.path().join("ballast")).unwrap();
        let full = std::io::copy(&mut std::io::repeat(1), &mut ballast).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }

    fn is_cleared(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }

    fn mount(&self, options: &str) -> Output {
        let mut mount = Command::new("mount");
        // Past the system's tables of mounts, which an unprivileged name space can't use.
        mount.args(["-n", "-i", "-t", "tmpfs", "-o", options, "tmpfs"]);
        mount.arg(self.path()).output().unwrap()
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

fn size(mebibytes: usize) -> String {
    format!("size={mebibytes}m")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_can_be_read_and_is_worked_on_once_there_is_room() {
    let endurance = Endurance::begin("full", "SQLite", Duration::ZERO);
    let home = TempDir::new().unwrap();
    let disk = Disk::of(MEBIBYTES);
    let database = format!("sqlite:{}", disk.path().join("full.db").display());
    let admin = token(home.path(), &database, "shop", "admin");
    let readers = [(); FULL_TIMES].map(|()| token(home.path(), &database, "shop", "read"));
    let server = Process::serve(home.path(), &database, &[]);
    let client = Client::new();
    let writing = Writing::start([&server], &admin, WRITERS, Duration::ZERO);
    let mut times = 0;
    while times < FULL_TIMES || endurance.goes_on() {
        if times > 0 {
            disk.fills_up();
        }
        let before = writing.shed();
        within(
            Duration::from_secs(120),
            "writers are refused",
            async || (writing.shed() > before + 10 * WRITERS).then_some(()),
        )
        .await;
        // The second one was not used before: that it was is written down where there is room.
        for reader in [&admin, &readers[times % readers.len()]] {
            let list = server.api(&client, reader, Method::GET, "series");
            let answer = list.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "read while full");
        }
        if times > 0 {
            disk.is_cleared();
        } else {
            disk.grows_to(GROWN_MEBIBYTES);
        }
        let (full, began) = (writing.acknowledged(), Instant::now());
        within(Duration::from_secs(10), "works again", async || {
            (writing.acknowledged() > full + 10 * WRITERS).then_some(())
        })
        .await;
        println!("full at {full}, works again in {:?}", began.elapsed());
        times += 1;
    }
    let tally = writing.end(&server).await;
    assert!(tally.refused + tally.unknown > 0);
    endurance.tell(tally);
}
