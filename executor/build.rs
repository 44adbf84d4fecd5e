//! Gives the shared library an entry point, so that the same ELF can be executed as the supervisor process (src/sys/entry.rs).

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-e,sl_supervisor_start");
}
