//! Rights, from the frame to what the engine did with it.

mod changing;
mod creating;
mod identity;
mod inheriting;
mod keys;
mod managing;
mod matrix;
mod oracle;
mod world;
