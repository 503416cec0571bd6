//! A future that is polled by hand, and knows whether it was woken.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Set when the task is to be polled.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Flag>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One task of the broker.
pub(crate) struct Task<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
    flag: Arc<Flag>,
    waker: Waker,
}

impl<T> Task<T> {
    /// A task that is to be polled for the first time.
    pub(crate) fn new(future: impl Future<Output = T> + 'static) -> Task<T> {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        Task { future: Box::pin(future), waker: Waker::from(Arc::clone(&flag)), flag }
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.flag.0.load(Ordering::Relaxed)
    }

    /// Lets it run until it waits. `Some` is its end: it is not to be polled again.
    pub(crate) fn poll(&mut self) -> Option<T> {
        self.flag.0.store(false, Ordering::Relaxed);
        match self.future.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}
