//! Test language.
