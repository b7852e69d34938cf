//! Compiles the part of the plugin protocol that the stub speaks.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tonic_prost_build::configure()
        .build_client(false)
        .compile_protos(&["proto/provider.proto"], &["proto"])?;
    Ok(())
}
