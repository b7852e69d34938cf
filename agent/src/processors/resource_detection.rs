//! Adds what is known of the host to every resource.
