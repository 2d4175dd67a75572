//! Group commit: everything queued goes to disk in one transaction, then everyone is answered.
