//! Rights, from the frame to what the engine did with it.

mod changing;
mod creating;
mod managing;
mod world;
