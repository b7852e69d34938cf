//! Prints what passes.
