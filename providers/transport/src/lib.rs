//! One hardened HTTP client for everything that secretfig asks over a network.
