//! Compiles the C++ bridge against the libtorch that `torch-sys` found.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=cpp/bridge.cpp");
    println!("cargo:rerun-if-changed=build.rs");
    let Some(lib) = std::env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        println!("cargo:warning=torch-sys did not say where libtorch is; run `cargo xtask setup`");
        return;
    };
    let version = lib.join("../build-version");
    if version.is_file() {
        println!("cargo:rerun-if-changed={}", version.display()); // setup touches it when libtorch moves
    }
    println!(
        "cargo:rustc-link-arg=-Wl,-rpath,{}",
        lib.canonicalize().unwrap_or(lib.clone()).display()
    );
    let include = lib.join("../include");
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .pic(true)
        .warnings(false) // libtorch's headers are not ours to mend
        .opt_level(2)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        .file("cpp/bridge.cpp");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        build.flag("-fopenmp"); // `at::parallel_for` is an OpenMP loop in a header
    }
    build.compile("sensorium_bridge");
}
