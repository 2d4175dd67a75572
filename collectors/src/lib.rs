//! Reads what benchmark, load-test and real-user tools emit into one canonical report.

mod error;
mod format;
pub mod histogram;
pub mod limits;
pub mod report;
pub mod units;

pub use error::{ErrorKind, ParseError, Place};
pub use format::{Format, UnknownFormat};

/// What the sender says of a file besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParseOptions {
    /// The format, where it is not to be sniffed.
    pub format: Option<Format>,
    /// The unit of values whose file does not state one (HdrHistogram payloads).
    pub unit: Option<String>,
    /// The flow of measurements that the file does not name.
    pub flow: Option<String>,
    /// The file's name, a hint for sniffing and for messages.
    pub file_name: String,
}
