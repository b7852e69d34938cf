//! Answers whether the program is alive and ready.
