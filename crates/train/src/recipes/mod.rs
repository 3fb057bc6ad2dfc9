//! Ready recipes: a data set, a network and settings that work together.

pub mod mnist;
