//! Stub.

use super::Spec;

pub static SPEC: Spec = Spec {
    name: "cpu",
    enabled: true,
    about: "",
    flags: &[],
    families: &[],
    build: |_| Ok(Box::new(super::stub::Stub)),
};
