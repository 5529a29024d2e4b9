//! Proves. A seeded workload that knows what each reply must be, an auditor with its own books, faults, and the databases
//! to try them on. Nothing in the product depends on it but the commands that measure and demonstrate.

pub mod postgres;
