//! Checks that generate.
