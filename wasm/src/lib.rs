//! secretfig for edge functions.
