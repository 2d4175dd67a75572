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
    /// Part of a file was left out. 3.
    Partial,
    /// A valid file with nothing to take. 5.
    Nothing,
    /// The server was away; the upload waits on disk. 6.
    Spooled,
    /// A file was refused. 4.
    Refused,
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
            Self::Inconclusive | Self::Partial => 3,
            Self::Refused => 4,
            Self::Nothing => 5,
            Self::Spooled => 6,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn a_refusal_outweighs_an_empty_file_and_a_lost_connection_outweighs_both() {
        let worst = [Exit::Nothing, Exit::Refused, Exit::Partial]
            .into_iter()
            .max();
        assert_eq!(worst.map(Exit::code), Some(4));
        assert_eq!(
            [Exit::Refused, Exit::Failed]
                .into_iter()
                .max()
                .map(Exit::code),
            Some(2)
        );
    }
}
