//! Drives the real binary: answers as documented, starting, stopping, kill -9 under load, a full disk, two servers, the command line beside a server,
//! the replay of a history and the demo.

mod binary;
mod crash;
mod disk_full;
mod documented;
mod encrypted;
mod replay;
mod running;
