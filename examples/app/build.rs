//! Writes into the program where its libtorch is, so that it runs from any folder.

fn main() {
    if let Ok(folder) = std::env::var("DEP_SENSORIUM_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
