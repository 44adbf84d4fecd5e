//! Takes the unwinder into the shared library: the loader then has one library less to find, which small
//! containers lack.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // rustc asks for libgcc_s; a linker script of that name gives the static half of the same library.
    let folder = std::env::var("OUT_DIR").unwrap_or_default();
    if std::fs::write(Path::new(&folder).join("libgcc_s.so"), "INPUT(-lgcc_eh -lgcc)\n").is_ok() {
        println!("cargo:rustc-link-search=native={folder}");
    }
}
