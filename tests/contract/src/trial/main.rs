//! One trial of the library in a process of its own.

fn main() {}
