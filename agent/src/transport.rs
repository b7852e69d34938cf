//! gRPC and HTTP over TCP and TLS, as option blocks and connections that components share.
