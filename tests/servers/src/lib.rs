//! Real servers for tests and examples: installed once, started and stopped.
