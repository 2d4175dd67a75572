//! What a command's end means to the script that called it.

use std::process::ExitCode;

/// How a command ended, from good to bad: of several files the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done; a gate's pass. 0.
    Ok,
    /// The answer is no: a gate fails, a check finds a difference. 1.
    No,
    /// A gate could not decide. 3.
    Inconclusive,
    /// Wrong usage, or the server could not be asked. 2.
    Failed,
}

impl Exit {
    /// The exit code, stable.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::No => 1,
            Self::Failed => 2,
            Self::Inconclusive => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
