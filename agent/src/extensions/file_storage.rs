//! Where spools and checkpoints are kept on disk.
