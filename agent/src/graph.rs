//! From configuration to running components: the only file that names them all.
