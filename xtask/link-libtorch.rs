//! The build script of every crate that has programs, tests or examples: it writes into them where
//! libtorch is, so that they run from any folder, without `LD_LIBRARY_PATH`.
//!
//! `torch-sys` knows the folder and tells the build scripts of the crates that depend on it directly.

use std::env;
use std::path::PathBuf;

fn main() {
    let Some(lib) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        println!("cargo::error=torch-sys does not say where libtorch is: is it a dependency of this crate?");
        return;
    };
    let version = lib.join("../build-version");
    if version.is_file() {
        println!("cargo::rerun-if-changed={}", version.display()); // setup touches it when libtorch moves
    }
    // The folder itself and not the checkout's link to it, which goes where the checkout goes.
    let lib = lib.canonicalize().unwrap_or(lib);
    let origin = if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "macos") {
        "@loader_path"
    } else {
        "$ORIGIN"
    };
    // A copy in a `lib` folder beside the program's own comes first: that is how a bundle is laid out.
    println!("cargo::rustc-link-arg=-Wl,-rpath,{origin}/../lib");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    // For the build scripts of programs that depend on a crate with `links`, as DEP_<LINKS>_LIBTORCH_LIB.
    println!("cargo::metadata=libtorch_lib={}", lib.display());
}
