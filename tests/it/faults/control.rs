//! What the shim in a process of Longwatch is told: which call fails and how, and what the time is.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use super::Fault;

/// The words of `struct control` in shim.c.
const AT: u64 = 0;
const KIND: u64 = 1;
const COUNT: u64 = 2;
const FIRED: u64 = 3;
const WALL_NS: u64 = 4;
const STEADY_NS: u64 = 5;
const PROCESS: u64 = 6;
const WORDS: u64 = 7;

/// The shim as a shared library, compiled once.
pub(super) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let made = directory.join(format!("shim-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faults/shim.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&made, Path::new(source)])
            .output()
            .expect("cc, which links Rust's programs too, compiles the shim");
        assert!(compiled.status.success(), "{compiled:?}");
        let library = directory.join("shim.so");
        std::fs::rename(made, &library).unwrap();
        library
    })
}

/// The file that a test and the shim share.
pub(super) struct Control {
    pub(super) path: PathBuf,
    file: File,
    clock: Mutex<()>,
}

impl Control {
    /// Without a fault, the wall clock at `now`.
    pub(super) fn new(directory: &Path, now: Timestamp) -> Control {
        let path = directory.join("control");
        let mut opening = File::options();
        let file = opening.create_new(true).read(true).write(true).open(&path);
        let control = Control {
            file: file.unwrap(),
            path,
            clock: Mutex::new(()),
        };
        for word in 0..WORDS {
            control.set(word, 0);
        }
        let shift_ns = now.as_nanosecond() - Timestamp::now().as_nanosecond();
        control.set(WALL_NS, i64::try_from(shift_ns).unwrap().cast_unsigned());
        control
    }

    fn get(&self, word: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, word * 8).unwrap();
        u64::from_ne_bytes(bytes)
    }

    fn set(&self, word: u64, value: u64) {
        self.file
            .write_all_at(&value.to_ne_bytes(), word * 8)
            .unwrap();
    }

    /// The call of this number fails, counted from now on.
    pub(super) fn arm(&self, fault: Fault, number: u64) {
        let kind = match fault {
            Fault::InputOutput => 1,
            Fault::NoSpace => 2,
            Fault::DieBefore => 3,
            Fault::DieAfter => 4,
            Fault::DieHalfway => 5,
            Fault::Cut | Fault::CutAnswer | Fault::Late => panic!("{fault:?} is none of files"),
        };
        self.set(KIND, kind);
        self.count_from_here();
        self.set(AT, number);
    }

    /// Calls are counted anew.
    pub(super) fn count_from_here(&self) {
        self.set(COUNT, 0);
    }

    /// How many calls there were.
    pub(super) fn count(&self) -> u64 {
        self.get(COUNT)
    }

    /// Whether the fault came.
    pub(super) fn has_fired(&self) -> bool {
        self.get(FIRED) != 0
    }

    /// Puts the clocks of the process forward.
    pub(super) fn advance(&self, by: Duration) {
        let _one_at_a_time = self.clock.lock().unwrap();
        let by_ns = u64::try_from(by.as_nanos()).unwrap();
        for clock in [WALL_NS, STEADY_NS] {
            self.set(clock, self.get(clock).wrapping_add(by_ns));
        }
    }

    /// Ends the process that was started last, by its id.
    pub(super) fn kill(&self) {
        let id = self.get(PROCESS).to_string();
        let killed = Command::new("kill").args(["-KILL", &id]).status().unwrap();
        assert!(killed.success());
    }
}
